// The DAG that a test hands over: a file whose export was misspelt, or forgotten, gives it undefined.

import { failure } from "../core/errors.ts";
import { describeValue } from "../sdk/author-error.ts";
import { COMPILED_DAG, type CompiledDag } from "../sdk/compiled.ts";

/** Errors: invalid_request. */
export function readDag(dag: unknown, caller: string): CompiledDag {
  // What stands under the symbol, dag() has put there.
  if (typeof dag === "object" && dag !== null && COMPILED_DAG in dag) return dag[COMPILED_DAG] as CompiledDag;
  const detail = `${caller} was given ${describeValue(dag)} in the place of a DAG; import what dag() returned, by the name under which its file exports it`;
  throw failure("invalid_request", detail);
}
