// The author's own TypeScript, or this installation's, run over the files: it is the one judge of types. An installed image has
// none, which is said and not passed over.

import { spawn } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { failure } from "../core/errors.ts";
import { DAGS_FOLDER_COMPILER_OPTIONS } from "./compiler-options.ts";
import type { Finding } from "./finding.ts";

const INSTALLATION = join(import.meta.dirname, "..", "..");
const DIAGNOSTIC = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/;
/** "is declared but its value is never read" */
const UNREAD = new Set(["TS6133", "TS6196"]);
const TASK_MAKER = /=\s*(task|kubernetesPod|bash|branch|shortCircuit|sensor|empty|approval|triggerDag|wait\w+)\s*[<(]/;

/**
 * @param folder what the findings' files are relative to
 * Errors: invalid_request without a compiler, or with compiler options that it does not take.
 */
export async function checkTypes(folder: string, files: readonly string[]): Promise<Finding[]> {
  if (files.length === 0) return [];
  const compiler = findCompiler(folder);
  const scratch = await mkdtemp(join(tmpdir(), "windlass-lint-"));
  try {
    const project = join(scratch, "tsconfig.json");
    await writeFile(project, JSON.stringify(await describeProject(folder, files)));
    const { output, status } = await run(compiler, ["-p", project, "--pretty", "false"], folder);
    const said = readDiagnostics(output, folder);
    if (status !== 0 && said.length === 0) {
      throw failure("invalid_request", `the TypeScript compiler refused to check ${folder}: ${output.trim()}`);
    }
    const own = new Set(files);
    return await judgeUnread(
      said.filter(({ file }) => own.has(file)),
      folder,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function findCompiler(folder: string): string {
  for (const place of [folder, INSTALLATION]) {
    try {
      return join(dirname(createRequire(join(place, "_.js")).resolve("typescript/package.json")), "bin", "tsc");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND")) throw error;
    }
  }
  throw failure(
    "invalid_request",
    `types cannot be checked: there is no TypeScript in ${folder} or above it. Run npm install in a folder that \`windlass init\` made, or leave types out by --no-types`,
  );
}

/** The author's options over these files alone. */
async function describeProject(folder: string, files: readonly string[]): Promise<object> {
  const own = await findUpwards(folder, "tsconfig.json");
  const root = own === null ? folder : dirname(own);
  const paths = {
    windlass: [join(INSTALLATION, "src/sdk/index.ts")],
    "windlass/testing": [join(INSTALLATION, "src/testing/run-dag.ts")],
    zod: [join(INSTALLATION, "node_modules/zod")],
  };
  return {
    ...(own === null ? {} : { extends: own }),
    compilerOptions: {
      ...(own === null ? { ...DAGS_FOLDER_COMPILER_OPTIONS, paths } : {}),
      // The compiler would look for them beside the file that this is written to.
      typeRoots: [...listUpwards(folder), INSTALLATION].map((place) => join(place, "node_modules", "@types")),
      noEmit: true,
      noUnusedLocals: true,
      // One of them would make the compiler refuse all; what is in them is unchecked unless the author wants it.
      allowJs: true,
    },
    files: files.map((file) => resolve(folder, file)),
    include: [`${root}/**/*.d.ts`],
    exclude: ["**/node_modules"],
  };
}

async function findUpwards(folder: string, name: string): Promise<string | null> {
  for (const place of listUpwards(folder)) {
    const path = join(place, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return null;
}

function listUpwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...listUpwards(above)];
}

async function run(compiler: string, args: string[], cwd: string): Promise<{ output: string; status: number | null }> {
  const child = spawn(process.execPath, [compiler, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolveEnd, reject) => {
    child.once("error", reject);
    child.once("close", resolveEnd);
  });
  const [out, errors, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { output: out + errors, status };
}

function readDiagnostics(output: string, folder: string): Finding[] {
  const found: Finding[] = [];
  for (const row of output.split("\n")) {
    const match = DIAGNOSTIC.exec(row);
    const last = found.at(-1);
    if (match) {
      const [, path = "", line = "", column = "", code = "", message = ""] = match;
      const file = relative(folder, resolve(folder, path));
      // DIAGNOSTIC has matched its form.
      found.push({ file, line: Number(line), column: Number(column), code: code as `TS${number}`, message });
    } else if (last && row.startsWith(" ")) {
      last.message += `\n${row}`;
    }
  }
  return found;
}

/** That a variable is unread is the author's own affair, unless it should have been a task of a DAG. */
async function judgeUnread(found: readonly Finding[], folder: string): Promise<Finding[]> {
  const sources = new Map<string, string[]>();
  for (const { file } of found.filter(({ code }) => UNREAD.has(code))) {
    if (!sources.has(file)) sources.set(file, (await readFile(join(folder, file), "utf8")).split("\n"));
  }
  return found.flatMap((finding) => {
    if (!UNREAD.has(finding.code)) return [finding];
    const line = sources.get(finding.file)?.[(finding.line ?? 0) - 1] ?? "";
    const name = /'(.+?)'/.exec(finding.message)?.[1] ?? "";
    if (!TASK_MAKER.test(line)) return [];
    const message = `the task ${name} is in no DAG; call it in the function that you pass to dag(), or remove it`;
    return [{ ...finding, code: "unused_task" as const, message }];
  });
}
