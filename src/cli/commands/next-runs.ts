// `windlass dags next-runs FILE_OR_ID`: the runs that a schedule calls for. A file is evaluated here, sealed; an id asks the API.

import { access } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { MAX_NEXT_RUNS, type NextRun, nextRunsAnswer } from "../../contract/rest-backfills.ts";
import { REST_PREFIX } from "../../contract/rest.ts";
import { describeWaiting } from "../../core/asset-condition.ts";
import type { DagDefinition } from "../../core/definition.ts";
import { failure } from "../../core/errors.ts";
import { boundOfTicks, listNextRuns } from "../../core/timetable.ts";
import { bundleFile } from "../../dags/bundle.ts";
import { computeTimes } from "../../dags/compute-times.ts";
import { evaluateBundle } from "../../dags/evaluate.ts";
import { importFailure } from "../../dags/import-fault.ts";
import { DEFAULT_LIMITS } from "../../dags/run-sealed.ts";
import { systemClock } from "../../lifecycle/clock.ts";
import type { RestClient } from "../rest-client.ts";

export interface NextRunsOptions {
  fileOrId: string;
  /** Which DAG, when the file has several. */
  dagId: string | null;
  from: Date | null;
  count: number;
  output: "text" | "json";
}

/** Errors: invalid_request, invalid_dag; those of the API. */
export async function printNextRuns(
  options: NextRunsOptions,
  connect: () => Promise<RestClient>,
  print: (text: string) => void,
): Promise<void> {
  if (options.count < 1 || options.count > MAX_NEXT_RUNS) {
    throw failure("invalid_request", `--count must lie between 1 and ${MAX_NEXT_RUNS}`);
  }
  const { runs, waitsFor } = (await isFile(options.fileOrId))
    ? await readFromFile(options)
    : await askApi(options, await connect());
  if (options.output === "json") return print(JSON.stringify(runs, null, 2));
  if (waitsFor !== null) print(waitsFor);
  if (runs.length === 0) return waitsFor === null ? print("the schedule calls for no more runs") : undefined;
  const columns = ["logical_date", "data_interval_start", "data_interval_end", "run_after"] as const;
  print(columns.map((name) => name.padEnd(24)).join("  "));
  for (const run of runs) print(columns.map((name) => run[name].padEnd(24)).join("  "));
}

async function isFile(path: string): Promise<boolean> {
  if (!/\.[cm]?tsx?$/.test(path)) return false;
  await access(resolve(path)).catch((error: unknown) => {
    throw failure("invalid_request", `there is no file ${resolve(path)} to read`, { cause: error });
  });
  return true;
}

interface Found {
  runs: NextRun[];
  /** Of a DAG that assets start. */
  waitsFor: string | null;
}

async function askApi({ fileOrId, from, count }: NextRunsOptions, api: RestClient): Promise<Found> {
  const query = new URLSearchParams({ count: String(count), ...(from && { from: from.toISOString() }) });
  const path = `${REST_PREFIX}/dags/${encodeURIComponent(fileOrId)}/nextRuns?${query.toString()}`;
  const { next_runs: runs, waits_for: waitsFor } = await api.get(path, nextRunsAnswer);
  return { runs, waitsFor };
}

async function readFromFile({ fileOrId, dagId, from: given, count }: NextRunsOptions): Promise<Found> {
  const path = resolve(fileOrId);
  const filename = basename(path);
  const bundle = await bundleFile(dirname(path), filename);
  const evaluation = await evaluateBundle(bundle, filename, DEFAULT_LIMITS, systemClock);
  if (evaluation.kind === "fault") throw importFailure(evaluation.fault);
  const definition = chooseDag(fileOrId, evaluation.definitions, dagId);
  const from = given ?? systemClock.now();
  const question = {
    dag_id: definition.dag_id,
    after: boundOfTicks(definition, from).getTime(),
    until: Number.MAX_SAFE_INTEGER,
    count: count + 1,
  };
  const computed =
    definition.schedule?.kind === "custom"
      ? (await computeTimes(bundle, question, DEFAULT_LIMITS, systemClock)).times
      : [];
  const runs = listNextRuns(definition, from, count, computed).map((run) => ({
    logical_date: run.logical_date.toISOString(),
    data_interval_start: run.data_interval_start.toISOString(),
    data_interval_end: run.data_interval_end.toISOString(),
    run_after: run.run_after.toISOString(),
  }));
  return { runs, waitsFor: definition.assets ? describeWaiting(definition.assets, []) : null };
}

function chooseDag(file: string, definitions: readonly DagDefinition[], dagId: string | null): DagDefinition {
  const ids = definitions.map((definition) => definition.dag_id).join(", ");
  const chosen = dagId === null ? definitions : definitions.filter((definition) => definition.dag_id === dagId);
  const [definition] = chosen;
  if (definition && chosen.length === 1) return definition;
  if (definition) throw failure("invalid_request", `${file} has several DAGs; choose one by --dag: ${ids}`);
  const found = ids === "" ? "exports no DAG; write `export default dag(...)`" : `has no DAG "${dagId}", but ${ids}`;
  throw failure("invalid_dag", `${file} ${found}`);
}
