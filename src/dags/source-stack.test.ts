import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bundleFile } from "./bundle.ts";
import { createFolder } from "./folder-fixture.ts";
import { BUNDLE_FILENAME, loadBundle } from "./load-bundle.ts";
import { mapStack } from "./source-stack.ts";

async function throwFrom(files: Record<string, string>) {
  await using fixture = await createFolder(files);
  const bundle = await bundleFile(fixture.folder, "dag.ts");
  try {
    loadBundle(bundle.code);
  } catch (error) {
    if (error instanceof Error && error.stack) return { bundle, stack: error.stack };
  }
  throw new Error("the file did not throw");
}

const FILES = {
  "dag.ts": `import { check } from "./lib/check.ts";\ninterface Removed { a: 1 }\n[1].map((one) => check(one));\n`,
  "lib/check.ts": `type Removed = 1;\n\nexport function check(one: number): void {\n  throw new RangeError(\`no \${one}\`);\n}\n`,
};

describe("mapStack", () => {
  test("shows the author's files and nothing else", async () => {
    const { bundle, stack } = await throwFrom(FILES);
    expect(stack).toContain("load-bundle");
    const mapped = mapStack(stack, bundle.sourceMap, bundle.hash);
    expect(mapped).toMatchObject({ file: "lib/check.ts", line: 4, column: 9 });
    expect(mapped.stack.split("\n")).toEqual([
      "RangeError: no 1",
      "    at check (lib/check.ts:4:9)",
      "    at dag.ts:3:18",
      expect.stringMatching(/^ {4}at .*Array\.map|dag\.ts:3:5/),
    ]);
    expect(mapped.places.map((place) => `${place.file}:${place.line}`)).toEqual([
      "lib/check.ts:4",
      "dag.ts:3",
      "dag.ts:3",
    ]);
  });

  test("gives the same with and without a key", async () => {
    const { bundle, stack } = await throwFrom(FILES);
    expect(mapStack(stack, bundle.sourceMap)).toEqual(mapStack(stack, bundle.sourceMap, bundle.hash));
  });

  test("passes over frames of packages for the first place, and keeps them in the stack", async () => {
    const { bundle, stack } = await throwFrom({
      "dag.ts": `import { z } from "zod";\nimport { fail } from "pkg";\nfail(z);\n`,
      "node_modules/pkg/package.json": `{"name": "pkg", "type": "module"}`,
      "node_modules/pkg/index.js": `export function fail() { throw new Error("in a package"); }`,
    });
    const mapped = mapStack(stack, bundle.sourceMap, bundle.hash);
    expect(mapped).toMatchObject({ file: "dag.ts", line: 3, column: 1 });
    expect(mapped.stack).toContain("at fail (node_modules/pkg/index.js:1:32)");
  });

  test("keeps a stack without any of the author's frames", async () => {
    const { bundle } = await throwFrom(FILES);
    const stack = "Error: elsewhere\n    at node:internal/x:1:2";
    expect(mapStack(stack, bundle.sourceMap)).toEqual({ stack, file: null, line: null, column: null, places: [] });
    const outOfRange = `Error: x\n    at a (${BUNDLE_FILENAME}:999999:1)`;
    expect(mapStack(outOfRange, "{}").stack).toBe(outOfRange);
  });

  test("is not disturbed by garbage", async () => {
    const { bundle } = await throwFrom(FILES);
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(BUNDLE_FILENAME, ":1:1", ":0:0", ":99999999999:1", "\n    at ", "(", ")", "$&"),
    );
    const map = fc.oneof(
      fc.constant(bundle.sourceMap),
      fc.string(),
      fc.json(),
      fc.constantFrom("", "null", '{"version":3,"mappings":"!!"}'),
    );
    fc.assert(
      fc.property(fc.array(piece), map, (pieces, text) => {
        const mapped = mapStack(pieces.join(""), text);
        expect(typeof mapped.stack).toBe("string");
        if (mapped.line !== null) expect(mapped.line).toBeGreaterThan(0);
      }),
    );
  });
});
