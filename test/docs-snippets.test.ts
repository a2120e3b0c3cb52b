// Every TypeScript block of the pages for authors is a module that compiles, and passes if it is a test, with "windlass", zod and the page's prelude at hand.

import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import * as windlass from "windlass";
import { DAGS_FOLDER_COMPILER_OPTIONS } from "../src/lint/compiler-options.ts";

const PROJECT = join(import.meta.dirname, "..");
const PAGES = ["from-airflow.md", "testing-dags.md"];
const BLOCK = /^```ts( prelude| test)?\n([\s\S]*?)^```$/gm;
const TYPES = ["CallbackContext"];

interface Block {
  /** "from-airflow_38": page and line. */
  name: string;
  kind: "prelude" | "test" | "snippet";
  text: string;
}

async function readBlocks(page: string): Promise<Block[]> {
  const text = await readFile(join(PROJECT, "docs", page), "utf8");
  return [...text.matchAll(BLOCK)].map((match) => ({
    name: `${page.replace(".md", "")}_${text.slice(0, match.index).split("\n").length}`,
    kind: match[1] === " prelude" ? "prelude" : match[1] === " test" ? "test" : "snippet",
    text: match[2] ?? "",
  }));
}

/** Imports what a block uses and does not declare; blocks that import for themselves are left alone. */
function complete({ kind, text }: Block, prelude: Block | undefined): string {
  if (text.includes("import {")) return text;
  const missing = (names: Iterable<string>) =>
    [...names].filter((name) => new RegExp(`(?<![.\\w"])${name}\\b`).test(text) && !declares(text, name));
  const lines = [
    `import { ${[...missing(Object.keys(windlass)), ...missing(TYPES).map((name) => `type ${name}`)].join(", ")} } from "windlass";`,
  ];
  if (/\bz\./.test(text)) lines.push(`import * as z from "zod";`);
  const shared = [...(prelude?.text ?? "").matchAll(/^export const (\w+)/gm)].map((match) => match[1] ?? "");
  if (kind !== "prelude" && prelude)
    lines.push(`import { ${missing(shared).join(", ")} } from "./${prelude.name}.ts";`);
  return [...lines, text].join("\n");
}

function declares(text: string, name: string): boolean {
  return new RegExp(`(const|function) ${name}\\b|const \\[[^\\]]*\\b${name}\\b`).test(text);
}

test("the snippets of the documentation compile, and those that are tests pass", async () => {
  const folder = await mkdtemp(join(tmpdir(), "windlass-snippets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "node_modules"));
  for (const name of ["zod", "@types"]) {
    await symlink(join(PROJECT, "node_modules", name), join(folder, "node_modules", name));
  }
  await symlink(PROJECT, join(folder, "node_modules", "windlass"));
  let count = 0;
  const tests: string[] = [];
  for (const page of PAGES) {
    const blocks = await readBlocks(page);
    const prelude = blocks.find(({ kind }) => kind === "prelude");
    for (const block of blocks) await writeFile(join(folder, `${block.name}.ts`), complete(block, prelude));
    tests.push(...blocks.flatMap(({ kind, name }) => (kind === "test" ? [`${name}.ts`] : [])));
    count += blocks.length;
  }
  const project = {
    compilerOptions: {
      ...DAGS_FOLDER_COMPILER_OPTIONS,
      paths: {
        windlass: [join(PROJECT, "src/sdk/index.ts")],
        "windlass/testing": [join(PROJECT, "src/testing/run-dag.ts")],
      },
    },
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(project));
  const compiler = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(stdout).toBe("");
  expect(count).toBeGreaterThan(20);
  const tested = spawnSync(process.execPath, ["--test", ...tests], { cwd: folder, encoding: "utf8" });
  expect({ status: tested.status, output: tested.stdout + tested.stderr }).toMatchObject({ status: 0 });
  expect(tests).toHaveLength(2);
}, 60_000);
