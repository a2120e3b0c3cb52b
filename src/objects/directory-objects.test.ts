import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeObjectStore } from "../../test/support/object-store-contract.ts";
import { openDirectory } from "./directory-objects.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-objects-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describeObjectStore(() => openDirectory(folder));

test("a directory that cannot be written is unavailable, and named", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  await chmod(file, 0o400);
  const store = openDirectory(join(file, "below"));
  await expect(store.put("a/1", Readable.from([Buffer.from("x")]))).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining(file),
  });
});

test("no part of a broken upload is left", async () => {
  const store = openDirectory(folder);
  async function* breaking() {
    yield Buffer.from("x");
    throw new Error("gone");
  }
  await expect(store.put("a/1", breaking())).rejects.toThrow("gone");
  expect(await readdir(join(folder, "a"))).toEqual([]);
});
