// A DAG that imports data files, in tests as authors write them: in this runner, and in Node's own in a folder of windlass init.

import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadDagFile, runDag, stub } from "windlass/testing";
import type { Dag } from "windlass";
import { initFolder } from "../cli/commands/init.ts";
import { bundleFile } from "../dags/bundle.ts";
import { loadBundle } from "../dags/load-bundle.ts";

const PROJECT = join(import.meta.dirname, "..", "..");

const FILES = {
  "sales.ts": `import { dag, task } from "windlass";
import { columns } from "./lib/columns.ts";
import limits, { most } from "./limits.json";
import rows from "./rows.csv";
import query from "./query.sql";
import notes from "./notes.yaml";
import other from "./other.yml";
import page from "./page.md";

export const count = task("count", () => ({ rows: rows.trim().split("\\n").length, columns, most, limits, query, notes, other, page }));
export const report = task("report", ({ rows }: { rows: number }) => \`\${rows} rows\`);
export default dag("sales", {}, () => {
  report({ rows: count().get("rows") });
});
`,
  "lib/columns.ts": `import text from "../columns.txt";\nexport const columns = text.trim().split(" ");\n`,
  "columns.txt": "day amount\n",
  "limits.json": `{ "most": 3, "odd name": [1], "default": 4 }\n`,
  "rows.csv": "1\n2\n",
  "query.sql": "select '`${x}`';\n",
  "notes.yaml": "a: 1\n",
  "other.yml": "b: 2\n",
  "page.md": "# Page\n",
};
const COUNTED = {
  rows: 2,
  columns: ["day", "amount"],
  most: 3,
  limits: { most: 3, "odd name": [1], default: 4 },
  query: "select '`${x}`';\n",
  notes: "a: 1\n",
  other: "b: 2\n",
  page: "# Page\n",
};

async function makeFolder(files: { [name: string]: string } = FILES): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-load-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await initFolder(folder, { example: false });
  const sdk = join(folder, ".windlass", "sdk");
  // What npm install would do, without a registry.
  for (const place of [join(folder, "node_modules", "@types"), join(sdk, "node_modules")]) {
    await mkdir(place, { recursive: true });
  }
  for (const name of ["zod", "@types/node"]) {
    await symlink(join(PROJECT, "node_modules", name), join(folder, "node_modules", name));
  }
  for (const name of ["ajv", "ajv-formats", "zod"]) {
    await symlink(join(PROJECT, "node_modules", name), join(sdk, "node_modules", name));
  }
  await symlink(sdk, join(folder, "node_modules", "windlass"));
  await mkdir(join(folder, "lib"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

test("data files come as in the scheduler's bundle", async () => {
  const folder = await makeFolder();
  const { default: sales } = loadDagFile<{ default: Dag }>(join(folder, "sales.ts"));
  const run = await runDag(sales, { with: [stub("report", "stubbed")] });
  expect(run.states).toEqual({ count: "success", report: "success" });
  expect(run.task("count").result).toEqual(COUNTED);
  const [bundled] = loadBundle((await bundleFile(folder, "sales.ts")).code);
  expect(await bundled?.functions["count"]?.({}, {} as never)).toEqual(COUNTED);
});

test.for([
  [
    "loadDagFile",
    ["--test"],
    `import { loadDagFile, runDag } from "windlass/testing";
const { default: sales, count } = loadDagFile<typeof import("./sales.ts")>(new URL("./sales.ts", import.meta.url));`,
  ],
  [
    "an import, as npm test has it",
    ["--import", "windlass/testing", "--test"],
    `import { runDag } from "windlass/testing";\nimport sales, { count } from "./sales.ts";`,
  ],
] as const)("a test of Node's own runner loads them by %s, and tsc knows what it is", async ([, flags, imports]) => {
  const folder = await makeFolder();
  const written = `import assert from "node:assert/strict";
import { test } from "node:test";
${imports}

test("counts", async () => {
  const run = await runDag(sales);
  const rows: number | undefined = run.task(count).result?.rows;
  assert.equal(rows, 2);
  assert.equal(run.task("report").result, "2 rows");
});
`;
  await writeFile(join(folder, "sales.test.ts"), written);
  const tested = spawnSync(process.execPath, [...flags], { cwd: folder, encoding: "utf8" });
  expect({ status: tested.status, output: tested.stdout + tested.stderr }).toMatchObject({ status: 0 });
  const tsc = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
  const checked = spawnSync(process.execPath, [tsc, "--pretty", "false"], { cwd: folder, encoding: "utf8" });
  expect(checked.stdout).toBe("");
});

test.for([
  ["a file that is not there", {}, "sales.ts cannot be loaded: Cannot find module"],
  ["data that is no JSON", { ...FILES, "limits.json": "{" }, "limits.json is not JSON"],
  ["data that is not there", { ...FILES, "sales.ts": `import "./gone.csv";` }, "gone.csv"],
] as const)("%s is said by name", async ([, files, message]) => {
  const folder = await makeFolder(files);
  expect(() => loadDagFile(join(folder, "sales.ts"))).toThrow(
    expect.objectContaining({ code: "invalid_request", message: expect.stringContaining(message) }),
  );
});
