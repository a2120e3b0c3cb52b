// Loads DAG files for tests by Node itself, without a bundler: data files that they import come as the scheduler's bundles have
// them (see dags/bundle.ts). Node's hooks see what is imported after this module was, hence the function; a test runner that
// loads this one first (`node --import windlass/testing --test`) has no need of it.

import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { failure, messageOf } from "../core/errors.ts";

const DATA = /\.(?:(json)|csv|txt|sql|md|ya?ml)$/;

registerHooks({
  load: (url, context, next) => {
    const match = url.startsWith("file:") ? DATA.exec(url) : null;
    if (!match || !context.conditions.includes("import")) return next(url, context);
    const text = readFileSync(fileURLToPath(url), "utf8");
    return { format: "module", source: match[1] ? exportJson(text, url) : exportDefault(text), shortCircuit: true };
  },
});

/**
 * The exports of a DAG file, whose types the caller names: those of an import() of the file.
 * Errors: invalid_request for a file that cannot be loaded.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what import() would find, named by the caller
export function loadDagFile<Exports extends object>(file: URL | string): Exports {
  const path = typeof file === "string" && !file.startsWith("file:") ? resolve(file) : fileURLToPath(file);
  try {
    // Not by import(), which test runners replace by their own; a DAG file awaits nothing while it is read.
    return createRequire(path)(path) as Exports;
  } catch (error) {
    throw failure("invalid_request", `${path} cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
}

function exportDefault(value: unknown): string {
  return `export default ${JSON.stringify(value)};\n`;
}

/** Fields can be imported by name, too. */
function exportJson(text: string, url: string): string {
  const value: unknown = parse(text, url);
  const fields =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.keys(value).filter((name) => name !== "default")
      : [];
  const names = fields.map((name, index) => `_${index} as ${JSON.stringify(name)}`);
  const values = fields.map((name, index) => `const _${index} = value[${JSON.stringify(name)}];`);
  return `const value = ${JSON.stringify(value)};\n${values.join("\n")}\nexport { ${["value as default", ...names].join(", ")} };\n`;
}

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failure("invalid_request", `${fileURLToPath(url)} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}
