// `windlass init DIR`: makes a folder in which an editor and tsc check DAG files. The sdk's own sources are copied into it,
// so types need no registry and are those of this installation; running it again brings them up to date. What is the
// author's (everything but that copy) is written only where there is nothing yet.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { failure, messageOf } from "../../core/errors.ts";

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
/** Of core/, the sdk needs types only. */
const CORE_FILES = ["artifact.ts", "callback.ts", "connection.ts", "definition.ts", "json.ts", "operator.ts"];

/** Errors: invalid_request when the folder cannot be written. */
export async function initFolder(dir: string, options: InitOptions = { example: true }): Promise<InitResult> {
  try {
    const manifest = await readManifest();
    await mkdir(dir, { recursive: true });
    await copySdk(dir, manifest.version);
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
  dependencies: z.object({ zod: z.string() }),
  devDependencies: z.object({ typescript: z.string(), "@types/node": z.string() }),
});
type Manifest = z.infer<typeof manifestSchema>;

async function readManifest(): Promise<Manifest> {
  return manifestSchema.parse(JSON.parse(await readFile(join(INSTALLATION, "package.json"), "utf8")));
}

async function copySdk(dir: string, version: string): Promise<void> {
  const target = join(dir, SDK_COPY);
  await rm(target, { recursive: true, force: true });
  const sources = join(INSTALLATION, "src");
  const sdkFiles = (await readdir(join(sources, "sdk"))).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  await Promise.all([
    ...sdkFiles.map((name) => copySource(join(sources, "sdk", name), join(target, "sdk"), name)),
    ...CORE_FILES.map((name) => copySource(join(sources, "core", name), join(target, "core"), name)),
    cp(join(INSTALLATION, "LICENSE"), join(target, "LICENSE")),
  ]);
  const entry = "./sdk/index.ts";
  const manifest = {
    name: "windlass",
    version,
    license: "Apache-2.0",
    private: true,
    type: "module",
    exports: entry,
    types: entry,
  };
  await writeFile(join(target, "package.json"), toJsonText(manifest));
}

/** The author's compiler options need not fit the sdk's sources, so only their types are used, not their errors. */
async function copySource(source: string, folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `// @ts-nocheck\n${await readFile(source, "utf8")}`);
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
      scripts: { check: "tsc" },
      dependencies: { windlass: `file:./${SDK_COPY}`, zod: dependencies.zod },
      devDependencies: { "@types/node": devDependencies["@types/node"], typescript: devDependencies.typescript },
    }),
    "tsconfig.json": toJsonText({
      compilerOptions: {
        target: "esnext",
        lib: ["esnext"],
        module: "preserve",
        moduleResolution: "bundler",
        types: ["node"],
        strict: true,
        noUncheckedIndexedAccess: true,
        isolatedModules: true,
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        noEmit: true,
        paths: { windlass: [`./${SDK_COPY}/sdk/index.ts`] },
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
