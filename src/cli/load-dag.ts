// A DAG of a file, for commands that need its functions or its definition: read as the scheduler would, sealed off, and only then
// loaded into this process.

import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { failure } from "../core/errors.ts";
import { type Bundle, bundleFile } from "../dags/bundle.ts";
import { evaluateBundle } from "../dags/evaluate.ts";
import { importFailure } from "../dags/import-fault.ts";
import { loadBundle } from "../dags/load-bundle.ts";
import { DEFAULT_LIMITS } from "../dags/run-sealed.ts";
import { systemClock } from "../lifecycle/clock.ts";
import type { CompiledDag } from "../sdk/compiled.ts";

/**
 * @param dagId which one, when the file has several; null: its only one
 * Errors: invalid_request, invalid_dag.
 */
export async function loadDag(file: string, dagId: string | null): Promise<{ dag: CompiledDag; bundle: Bundle }> {
  const path = resolve(file);
  const stats = await stat(path).catch((error: unknown) => {
    throw failure("invalid_request", `there is no file ${path} to read`, { cause: error });
  });
  if (stats.isDirectory()) {
    throw failure("invalid_request", `${path} is a folder; name one DAG file, as in ${join(file, "sales.ts")}`);
  }
  const bundle = await bundleFile(dirname(path), basename(path));
  const evaluation = await evaluateBundle(bundle, basename(path), DEFAULT_LIMITS, systemClock);
  if (evaluation.kind === "fault") throw importFailure(evaluation.fault);
  const dags = loadBundle(bundle.code);
  if (dags.length === 0) throw failure("invalid_dag", `${file} exports no DAG; write \`export default dag(...)\``);
  const ids = dags.map((dag) => dag.definition.dag_id).join(", ");
  const chosen = dagId === null ? dags : dags.filter((dag) => dag.definition.dag_id === dagId);
  const [dag] = chosen;
  if (!dag) throw failure("invalid_request", `${file} has no DAG "${dagId}", but ${ids}`);
  if (chosen.length > 1) throw failure("invalid_request", `${file} has several DAGs; choose one by --dag: ${ids}`);
  return { dag, bundle };
}
