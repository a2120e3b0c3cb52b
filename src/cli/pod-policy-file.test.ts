import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadPodPolicy } from "./pod-policy-file.ts";

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "policy-")), name);
  await writeFile(path, text);
  return path;
}

test("a policy is the default export of a module, in JavaScript or TypeScript", async () => {
  expect(await loadPodPolicy(undefined)).toBeNull();
  const script = await loadPodPolicy(await fileOf("policy.mjs", "export default (pod) => ({ ...pod, seen: true });"));
  expect(script?.({ a: 1 }, {} as never)).toEqual({ a: 1, seen: true });
  const typed = await loadPodPolicy(await fileOf("policy.ts", "export default (pod: object): object => pod;"));
  expect(typed?.({ a: 1 }, {} as never)).toEqual({ a: 1 });
});

test.each([
  ["none.mjs", null, /cannot be loaded/],
  ["broken.mjs", "export default (", /cannot be loaded/],
  ["named.mjs", "export const policy = () => {};", /must have a function as its default export/],
])("at the start %s is an error that names the file", async (name, text, message) => {
  const path = text === null ? `/nowhere/${name}` : await fileOf(name, text);
  await expect(loadPodPolicy(path)).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringMatching(message) as string,
  });
  await expect(loadPodPolicy(path)).rejects.toThrow(`WINDLASS_POD_POLICY ${path}`);
});
