import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { initFolder } from "./init.ts";

const PROJECT = join(import.meta.dirname, "..", "..", "..");

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-init-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** What npm install would do, without a registry. */
async function install(folder: string, packages: readonly string[]): Promise<void> {
  await mkdir(join(folder, "node_modules", "@types"), { recursive: true });
  for (const name of packages) await symlink(join(PROJECT, "node_modules", name), join(folder, "node_modules", name));
}

function check(folder: string): { status: number | null; output: string } {
  const tsc = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

async function edit(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

test("the folder passes tsc as it is, and fails on a wrong edge", async () => {
  const folder = await makeFolder();
  const written = [".windlass/sdk", "package.json", "tsconfig.json", ".gitignore", "example.ts"];
  expect(await initFolder(folder)).toEqual({ written, kept: [] });
  await install(folder, ["zod", "@types/node"]);
  expect(check(folder)).toEqual({ status: 0, output: "" });

  await edit(join(folder, "example.ts"), `extracted.get("orders")`, `extracted.get("day")`);
  const wrong = check(folder);
  expect(wrong.status).not.toBe(0);
  expect(wrong.output).toMatch(/^example\.ts\(\d+,\d+\): error TS2322: Type 'Reference<string>' is not assignable/m);
});

test("data files, pods and a misspelt Kubernetes field are checked too", async () => {
  const folder = await makeFolder();
  await initFolder(folder, { example: false });
  await install(folder, ["@types/node"]);
  await writeFile(
    join(folder, "pod.ts"),
    `import { task } from "windlass";
import csv from "./rows.csv";
export const rows: string = csv;
export const a = task("a", { pod: { spec: { nodeName: "x" } } }, () => 1);
export const b = task("b", { pod: { spec: { nodeNam: "x" } } }, () => 1);
`,
  );
  const { output } = check(folder);
  expect(output.trim().split("\n")).toEqual([
    expect.stringMatching(/^pod\.ts\(5,\d+\): error TS\d+: .*'nodeNam' does not exist/),
  ]);
});

test("the copied sdk is whole: every file that it imports is there, and Node runs it as an installed package", async () => {
  const folder = await makeFolder();
  await initFolder(folder);
  const sdk = join(folder, ".windlass", "sdk");
  const files = (await readdir(sdk, { recursive: true })).filter((name) => name.endsWith(".ts"));
  expect(files).not.toContainEqual(expect.stringContaining(".test."));
  for (const name of files) {
    const text = await readFile(join(sdk, name), "utf8");
    for (const [, path = ""] of text.matchAll(/"(\.\.?\/[\w./-]+\.ts)"/g)) {
      await stat(resolve(sdk, dirname(name), path));
    }
  }
  await install(folder, ["zod", "@types/node"]);
  // npm puts what a linked package needs beside it.
  await mkdir(join(sdk, "node_modules"));
  for (const name of ["ajv", "ajv-formats"]) {
    await symlink(join(PROJECT, "node_modules", name), join(sdk, "node_modules", name));
  }
  await symlink(sdk, join(folder, "node_modules", "windlass"));
  const program = `import made from "./example.ts"; console.log(made.id)`;
  const ran = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(ran).toMatchObject({ status: 0, stdout: "example\n" });

  const written = `import { test } from "node:test";
import assert from "node:assert/strict";
import { fail, runDag, stub } from "windlass/testing";
import example from "./example.ts";

test("the example adds up", async () => {
  const run = await runDag(example, { with: [stub("extract", { day: "2026-02-01", orders: [1, 2] }), fail("total")] });
  assert.deepEqual(run.states, { extract: "success", total: "failed", report: "upstream_failed" });
});
`;
  await writeFile(join(folder, "example.test.ts"), written);
  const tested = spawnSync(process.execPath, ["--test"], { cwd: folder, encoding: "utf8" });
  expect({ status: tested.status, output: tested.stdout }).toMatchObject({ status: 0 });
  expect(check(folder)).toEqual({ status: 0, output: "" });
});

test("a second run keeps the author's files and renews the sdk", async () => {
  const folder = await makeFolder();
  await initFolder(folder);
  const mine = `{"name":"mine"}`;
  await writeFile(join(folder, "package.json"), mine);
  const old = join(folder, ".windlass", "sdk", "sdk", "old.ts");
  await writeFile(old, "left over");
  expect(await initFolder(folder)).toEqual({
    written: [".windlass/sdk"],
    kept: ["package.json", "tsconfig.json", ".gitignore", "example.ts"],
  });
  expect(await readFile(join(folder, "package.json"), "utf8")).toBe(mine);
  await expect(stat(old)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the versions are those of this project", async () => {
  const folder = await makeFolder();
  await initFolder(folder);
  const [own, made] = await Promise.all(
    [PROJECT, folder].map(async (at) => JSON.parse(await readFile(join(at, "package.json"), "utf8"))),
  );
  expect(made.dependencies).toEqual({ windlass: "file:./.windlass/sdk", zod: own.dependencies.zod });
  expect(made.devDependencies).toEqual({
    typescript: own.devDependencies.typescript,
    "@types/node": own.devDependencies["@types/node"],
  });
});

test("a place that cannot be a folder is one clear error", async () => {
  const folder = await makeFolder();
  const file = join(folder, "file");
  await writeFile(file, "");
  await expect(initFolder(file)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining(`cannot make a dags folder at ${file}`),
  });
});
