// Runs a bundle's text and finds the DAGs that it exports. Used by the sealed evaluator and by every worker before its
// task starts, so it imports Node's own modules only. Errors are the author's own, with frames named "windlass:bundle".

import { isBuiltin } from "node:module";
import { compileFunction } from "node:vm";
import { COMPILED_DAG, type CompiledDag } from "../sdk/compiled.ts";

/** The file name in stack frames of a bundle. */
export const BUNDLE_FILENAME = "windlass:bundle";

/** The file's DAGs in the order of their export names; a DAG exported twice counts once. */
export function loadBundle(code: string, filename: string = BUNDLE_FILENAME): CompiledDag[] {
  const module: { exports: unknown } = { exports: {} };
  const run = compileFunction(code, ["exports", "require", "module", "__filename", "__dirname"], { filename });
  run.call(module.exports, module.exports, requireBuiltin, module, "/windlass/bundle.cjs", "/windlass");
  return findDags(module.exports);
}

function findDags(exported: unknown): CompiledDag[] {
  if (!isObject(exported)) return [];
  const found = new Set<CompiledDag>();
  for (const value of [exported, ...Object.values(exported)]) {
    const dag = compiledOf(value);
    if (dag) found.add(dag);
  }
  return [...found];
}

function compiledOf(value: unknown): CompiledDag | null {
  if (!isObject(value) || !(COMPILED_DAG in value)) return null;
  // Only the sdk sets this symbol; what it holds is checked after it has left the sealed process.
  return value[COMPILED_DAG] as CompiledDag;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function requireBuiltin(id: string): unknown {
  const loaded: unknown = isBuiltin(id) ? process.getBuiltinModule(id) : undefined;
  if (loaded !== undefined) return loaded;
  // The code that packages look for when they try an optional dependency.
  throw Object.assign(
    new Error(`Cannot find module "${id}": only what is imported by a fixed name is in a DAG's bundle`),
    {
      code: "MODULE_NOT_FOUND",
    },
  );
}
