// Makes one CommonJS file of a DAG file and everything that it imports. The text is what runs in the end, so its hash is
// the DAG's identity: same sources, same hash, wherever the folder is mounted. A file that cannot be bundled is an
// ImportFailure with the place in the author's own source.

import { createHash } from "node:crypto";
import { relative, resolve } from "node:path";
import { build, type BuildFailure, type BuildResult, formatMessages, type Message } from "esbuild";
import { describeFault, importFailure, type ImportFailure, type Place } from "./import-fault.ts";
import { INSTALLATION_NAMESPACE, resolveImports } from "./resolve-imports.ts";

export interface Bundle {
  /** sha256 of the code, hex. */
  hash: string;
  code: string;
  /** JSON; `sources` are relative to the dags folder, or start with "windlass:". */
  sourceMap: string;
  /** Files that the code was made of, relative to the dags folder. */
  inputs: string[];
  /** Those of them that import the DAG file itself. */
  importers: string[];
}

/** Errors: ImportFailure. */
export async function bundleFile(folder: string, relativePath: string): Promise<Bundle> {
  const root = resolve(folder);
  const result = await buildBundle(root, relativePath).catch(async (error: unknown) => {
    throw isBuildFailure(error) ? await refuse(relativePath, error.errors, error) : error;
  });
  // Packages guard their use of import.meta; in the author's own file it is always a mistake.
  const ownWarnings = result.warnings.filter(
    ({ id, location }) => id === "empty-import-meta" && !location?.file.includes("node_modules/"),
  );
  if (ownWarnings.length > 0) throw await refuse(relativePath, ownWarnings);
  const code = result.outputFiles.find((file) => file.path.endsWith(".cjs"))?.text ?? "";
  const map = result.outputFiles.find((file) => file.path.endsWith(".map"))?.text ?? "";
  const { inputs } = result.metafile;
  const entry = relative(root, resolve(root, relativePath));
  return {
    hash: createHash("sha256").update(code).digest("hex"),
    code,
    sourceMap: dropForeignSources(map),
    inputs: Object.keys(inputs)
      // An import attribute is part of the key: "rows.json with { type: 'json' }".
      .map((input) => input.replace(/ with \{.*\}$/, ""))
      .filter((input) => !input.startsWith(`${INSTALLATION_NAMESPACE}:`))
      .toSorted(),
    importers: Object.keys(inputs).filter((name) => inputs[name]?.imports.some(({ path }) => path === entry)),
  };
}

type Built = BuildResult<{ write: false; metafile: true }>;

function buildBundle(folder: string, relativePath: string): Promise<Built> {
  return build({
    absWorkingDir: folder,
    entryPoints: [`./${relativePath}`],
    outfile: "bundle.cjs",
    write: false,
    metafile: true,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node26",
    charset: "utf8",
    sourcemap: "external",
    preserveSymlinks: true,
    // A bundle has no place to load from: what is left of import() becomes require, which knows Node's modules.
    supported: { "dynamic-import": false },
    loader: { ".csv": "text", ".txt": "text", ".sql": "text", ".md": "text", ".yaml": "text", ".yml": "text" },
    plugins: [resolveImports(folder)],
    logLevel: "silent",
  });
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

async function refuse(filename: string, messages: readonly Message[], cause?: unknown): Promise<ImportFailure> {
  // The bundler's notes advise on its own options, which an author does not have.
  const reworded = messages.map((message) => ({ ...message, text: reword(message.text), notes: [] }));
  const frames = await formatMessages(reworded, { kind: "error" });
  const first = reworded[0];
  const place = first ? placeOf(first) : null;
  const text = first?.text ?? "the file cannot be bundled";
  return importFailure(describeFault(filename, text, frames.join("\n").trim(), place), cause);
}

function placeOf({ location }: Message): Place | null {
  // The bundler counts columns from 0.
  return location ? { file: location.file, line: location.line, column: location.column + 1 } : null;
}

function reword(text: string): string {
  if (text.startsWith("Top-level await")) {
    return 'top-level "await" is not possible in a DAG file, which is read without waiting; await inside a task';
  }
  const missing = /^Could not resolve (".*")/.exec(text)?.[1];
  if (missing) {
    return `cannot find ${missing}; the path of a neighbour starts with "./", and a package lies in a node_modules folder beside the DAG file`;
  }
  if (text.includes('".node" files'))
    return "native add-ons (.node) cannot be part of a DAG; use a package without them";
  if (text.startsWith('"import.meta" is not available')) {
    return "import.meta is not available in a DAG file, which runs as a bundle away from its folder; import data files instead";
  }
  return text;
}

interface MapSources {
  sources: string[];
  sourcesContent?: (string | null)[];
}

/** Only the author's own sources are kept with the bundle: zod's alone would be most of it. */
function dropForeignSources(text: string): string {
  // Written by the bundler a moment ago.
  const map = JSON.parse(text) as MapSources;
  const contents = map.sourcesContent ?? [];
  const foreign = (source: string) =>
    source.startsWith(`${INSTALLATION_NAMESPACE}:`) || source.includes("node_modules/");
  return JSON.stringify({
    ...map,
    sourcesContent: map.sources.map((source, index) => (foreign(source) ? null : (contents[index] ?? null))),
  });
}
