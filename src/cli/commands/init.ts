// `windlass init DIR`: makes a folder in which an editor and tsc check DAG files. The sources of "windlass" and
// "windlass/testing" are copied into it, so they need no registry and are those of this installation; running it again brings them up to date. What is the
// author's (everything but that copy) is written only where there is nothing yet.

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { failure, messageOf } from "../../core/errors.ts";
import { DAGS_FOLDER_COMPILER_OPTIONS } from "../../lint/compiler-options.ts";

export interface InitOptions {
  /** Also write an example DAG. */
  example: boolean;
}

/** Paths relative to the folder. */
export interface InitResult {
  written: string[];
  /** There were such files already; they are as they were. */
  kept: string[];
}

const INSTALLATION = join(import.meta.dirname, "..", "..", "..");
const SDK_COPY = ".windlass/sdk";
/** What authors import, from src/; whatever these import is copied as well. */
const ENTRIES = { ".": "sdk/index.ts", "./testing": "testing/run-dag.ts" };
const IMPORT = /(?:^(?:import|export) (?:[^"`;]*? from )?|\bimport\(|path=)"([\w@./:-]+)"/gm;

/** Errors: invalid_request when the folder cannot be written. */
export async function initFolder(dir: string, options: InitOptions = { example: true }): Promise<InitResult> {
  try {
    const manifest = await readManifest();
    await mkdir(dir, { recursive: true });
    await copySdk(dir, manifest);
    const result: InitResult = { written: [SDK_COPY], kept: [] };
    for (const [name, text] of Object.entries(describeFiles(manifest, options))) {
      const list = (await writeIfAbsent(join(dir, name), text)) ? result.written : result.kept;
      list.push(name);
    }
    return result;
  } catch (error) {
    throw failure("invalid_request", `cannot make a dags folder at ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

const manifestSchema = z.object({
  version: z.string(),
  dependencies: z.looseObject({ zod: z.string() }),
  devDependencies: z.object({ typescript: z.string(), "@types/node": z.string() }),
});
type Manifest = z.infer<typeof manifestSchema>;

async function readManifest(): Promise<Manifest> {
  return manifestSchema.parse(JSON.parse(await readFile(join(INSTALLATION, "package.json"), "utf8")));
}

async function copySdk(dir: string, { version, dependencies }: Manifest): Promise<void> {
  const target = join(dir, SDK_COPY);
  await rm(target, { recursive: true, force: true });
  const { sources, packages } = await collectSources(Object.values(ENTRIES));
  for (const [path, text] of sources) {
    await mkdir(join(target, dirname(path)), { recursive: true });
    // The author's compiler options need not fit these sources, so only their types are used, not their errors.
    await writeFile(join(target, path), `// @ts-nocheck\n${text}`);
  }
  await cp(join(INSTALLATION, "LICENSE"), join(target, "LICENSE"));
  const manifest = {
    name: "windlass",
    version,
    license: "Apache-2.0",
    private: true,
    type: "module",
    exports: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, `./${path}`])),
    types: `./${ENTRIES["."]}`,
    dependencies: Object.fromEntries([...packages].toSorted().map((name) => [name, dependencies[name]])),
  };
  await writeFile(join(target, "package.json"), toJsonText(manifest));
}

/** Files of src/ with their texts, and the packages that they import. */
async function collectSources(entries: readonly string[]) {
  const sources = new Map<string, string>();
  const packages = new Set<string>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (sources.has(path)) continue;
    const text = await readFile(join(INSTALLATION, "src", path), "utf8");
    sources.set(path, text);
    for (const [, target = ""] of text.matchAll(IMPORT)) {
      if (target.startsWith(".")) open.push(join(dirname(path), target));
      else if (!target.startsWith("node:")) packages.add(target.split("/")[0] ?? target);
    }
  }
  return { sources, packages };
}

async function writeIfAbsent(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function toJsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function describeFiles(manifest: Manifest, options: InitOptions): { [name: string]: string } {
  const { dependencies, devDependencies } = manifest;
  return {
    "package.json": toJsonText({
      name: "dags",
      private: true,
      type: "module",
      scripts: { check: "tsc", test: "node --import windlass/testing --test" },
      dependencies: { windlass: `file:./${SDK_COPY}`, zod: dependencies.zod },
      devDependencies: { "@types/node": devDependencies["@types/node"], typescript: devDependencies.typescript },
    }),
    "tsconfig.json": toJsonText({
      compilerOptions: {
        ...DAGS_FOLDER_COMPILER_OPTIONS,
        paths: Object.fromEntries(
          Object.entries(ENTRIES).map(([name, path]) => [name.replace(".", "windlass"), [`./${SDK_COPY}/${path}`]]),
        ),
      },
      include: ["**/*.ts"],
    }),
    ".gitignore": "node_modules/\n",
    ...(options.example ? { "example.ts": EXAMPLE } : {}),
  };
}

const EXAMPLE = `// A DAG file: drop it into the dags folder, and it runs. Calls of tasks make the graph, and types flow along its edges.

import { dag, task } from "windlass";
import * as z from "zod";

const extract = task("extract", { retries: 3, retryDelay: "10s" }, async ({ day }: { day: string }) => {
  return { day, orders: [12, 30, 7] };
});

const total = task("total", async ({ orders }: { orders: number[] }) => {
  return orders.reduce((sum, order) => sum + order, 0);
});

const report = task("report", async ({ day, sum }: { day: string; sum: number }) => {
  console.log(\`\${day}: \${sum}\`);
});

export default dag("example", { params: z.object({ day: z.iso.date().default("2026-01-31") }) }, ({ params }) => {
  const extracted = extract({ day: params.day });
  const sum = total({ orders: extracted.get("orders") });
  report({ day: extracted.get("day"), sum });
});
`;
