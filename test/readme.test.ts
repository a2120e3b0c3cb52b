// What the README shows works: its DAG compiles and runs, and so does what `windlass init` writes.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");
const WINDLASS = join(ROOT, "bin", "windlass");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-readme-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function readBlock(file: string, start: string): Promise<string> {
  const blocks = [...(await readFile(join(ROOT, file), "utf8")).matchAll(/```ts\n([\s\S]*?)```/g)].map(
    (match) => match[1] ?? "",
  );
  const block = blocks.find((text) => text.includes(start));
  if (block === undefined) throw new Error(`${file} has no block with ${start}`);
  return block;
}

async function testDag(file: string, args: string[] = []): Promise<unknown> {
  const { stdout } = await run(WINDLASS, ["dags", "test", file, "--output", "json", ...args], {
    env: { PATH: process.env["PATH"] },
  });
  return JSON.parse(stdout);
}

it("shows a DAG that runs", async () => {
  const file = join(folder, "sum.ts");
  await writeFile(file, await readBlock("README.md", 'dag(\n  "sum"'));
  expect(await testDag(file, ["--params", '{"day":"2026-02-01"}'])).toMatchObject({
    state: "success",
    tasks: [{ task_id: "extract" }, { task_id: "total" }],
  });
});

it("documents authoring by DAGs that run", async () => {
  const imports = 'import { dag, failWithoutRetry, skip, task } from "windlass";\nimport * as z from "zod";\n';
  const file = join(folder, "numbers.ts");
  const inside = await readBlock("docs/authoring.md", 'task("wait"');
  await writeFile(file, `${imports}${inside}${await readBlock("docs/authoring.md", 'dag("numbers"')}void wait;\n`);
  expect(await testDag(file)).toMatchObject({ state: "success" });
});

it("documents tasks that run an image, which this machine skips with the reason", async () => {
  const imports = 'import { dag, kubernetesPod, task } from "windlass";\nimport * as z from "zod";\n';
  const file = join(folder, "pipeline.ts");
  await writeFile(file, imports + (await readBlock("docs/authoring.md", 'dag("pipeline"')));
  expect(await testDag(file, ["--params", '{"day":"2026-02-01"}'])).toMatchObject({
    state: "success",
    tasks: [
      { task_id: "transform", state: "skipped", error: "it runs the image python:3.12-slim, which needs a cluster" },
      { task_id: "print", state: "skipped" },
    ],
  });
});

it("makes a folder whose example runs", async () => {
  await run(WINDLASS, ["init", join(folder, "my-dags")], { env: { PATH: process.env["PATH"] } });
  expect(await testDag(join(folder, "my-dags", "example.ts"))).toMatchObject({ state: "success" });
});
