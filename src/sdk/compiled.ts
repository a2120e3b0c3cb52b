// What `dag()` leaves behind for the evaluator and the worker. The symbol is registered globally because every bundle
// carries its own copy of the sdk.

import type { DagDefinition } from "../core/definition.ts";
import type { Json } from "../core/json.ts";
import type { TaskAssets } from "./asset-runtime.ts";
import type { Artifacts } from "./artifacts.ts";
import type { TaskSecrets } from "./task-secrets.ts";
import type { Timetable } from "./schedule.ts";

export const COMPILED_DAG: unique symbol = Symbol.for("windlass.dag") as never;

/** On an error that a task throws: fail now, whatever `retries` is left. Its value is true. */
export const NO_RETRY: unique symbol = Symbol.for("windlass.no_retry") as never;

/** On an error that a task throws: the task is skipped, not failed, and the message is the reason. Its value is true. */
export const SKIP: unique symbol = Symbol.for("windlass.skip") as never;

/** What a task function gets as its second argument. */
export interface TaskRuntime<
  Variable extends string = string,
  ConnectionId extends string = string,
  Outlet extends string = string,
>
  extends TaskSecrets<Variable, ConnectionId>, TaskAssets<Outlet> {
  dag_id: string;
  run_id: string;
  run_type: string;
  task_id: string;
  map_index: number;
  try_number: number;
  max_tries: number;
  /** ISO instants in UTC, or null for runs without a logical date. */
  logical_date: string | null;
  data_interval_start: string | null;
  data_interval_end: string | null;
  run_after: string;
  params: { [name: string]: Json };
  /** Files, for what is no JSON or too large for a result. */
  artifacts: Artifacts;
  /** Aborted when the attempt must end: timeout, cancellation, eviction. */
  signal: AbortSignal;
}

export type CompiledFunction = (inputs: { [name: string]: Json }, runtime: TaskRuntime) => unknown;

export interface CompiledDag {
  definition: DagDefinition;
  /** By task id; empty tasks have none. */
  functions: { [taskId: string]: CompiledFunction };
  /** Of a custom schedule; run in the sealed evaluator only. */
  timetable?: Timetable;
  /** By key, as in callbacks.ts; absent when there are none. */
  callbacks?: { [key: string]: (context: never, runtime: never) => unknown };
}
