// dag(): runs the author's function once, collects the tasks that it calls, and leaves plain data behind. The definition
// is believed by nobody before `contract/definition.ts` has parsed it; the checks here are for the author's sake, who gets
// an error at the line that caused it.

import type { DagDefinition, RunField } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import {
  type Callbacks,
  compileCallbacks,
  compileDeadline,
  type DeadlineOptions,
  listEvents,
  nameCallbacks,
  type RunCallbacks,
} from "./callbacks.ts";
import { COMPILED_DAG, type CompiledDag } from "./compiled.ts";
import { compileDagLimits } from "./dag-limits.ts";
import { buildDraft, type Draft, findCurrentDraft, openDraft } from "./draft.ts";
import { checkIdentifier } from "./identifier.ts";
import { refuseCycles, resolveGroupOrders } from "./order.ts";
import { compileParamsSchema, createParamReferences, type ParamReferences, type ParamsSchema } from "./params.ts";
import { createReference, type Reference } from "./reference.ts";
import { checkTimezone, type Moment, toInstant } from "./schedule.ts";
import {
  checkContinuous,
  compileScheduleOptions,
  SCHEDULE_OPTIONS,
  type ScheduleOptions,
  timetableOf,
} from "./schedule-options.ts";
import {
  checkDescription,
  compileSettings,
  NO_SETTINGS,
  refuseUnknownOptions,
  type TaskDefaults,
} from "./task-settings.ts";

export interface DagOptions<Params extends object = object> extends ScheduleOptions, RunCallbacks {
  /** IANA name; the schedule and dates without offset are local to it. "UTC" unless given. */
  timezone?: string;
  /** No scheduled run before this moment … */
  start?: Moment;
  /** … or after this one. */
  end?: Moment;
  /** Also make the runs that were due before the DAG was first seen or while it was paused. */
  catchup?: boolean;
  /** Runs at once; later ones wait. 16 unless given. */
  maxActiveRuns?: number;
  /** Tasks of one run that may be queued or running at once. 16 unless given. */
  maxActiveTasks?: number;
  /** The same in all its runs together. No limit unless given. */
  maxActiveTasksPerDag?: number;
  /** At most `limit` runs at once with the same key, made of params or facts of the run; the others wait in the queue. */
  concurrency?: { key(context: DagContext<Params>): RunKey; limit: number };
  /** A zod object; what triggers give is checked against it, and its fields are typed references in the DAG. */
  params?: ParamsSchema<Params>;
  tags?: readonly string[];
  description?: string;
  /** Whether a new DAG waits to be unpaused. False unless given: a file that is dropped in should run. */
  paused?: boolean;
  /** For every task that does not say otherwise. */
  defaults?: TaskDefaults;
  /** When a run is late, and who is told. */
  deadline?: DeadlineOptions;
}

/** What runs are told apart by. */
export type RunKey = Reference<unknown> | readonly Reference<unknown>[];

/** Facts of the run, as references; dates are ISO 8601 in UTC, null for runs without a logical date. */
export interface RunReferences {
  readonly dag_id: Reference<string>;
  readonly run_id: Reference<string>;
  readonly run_type: Reference<string>;
  readonly logical_date: Reference<string | null>;
  readonly data_interval_start: Reference<string | null>;
  readonly data_interval_end: Reference<string | null>;
  readonly run_after: Reference<string>;
}

export interface DagContext<Params> {
  readonly params: ParamReferences<Params>;
  readonly run: RunReferences;
}

declare const PARAMS: unique symbol;

export interface Dag<out Params extends object = object> {
  readonly id: string;
  readonly [COMPILED_DAG]: CompiledDag;
  /** Exists for the compiler only. */
  readonly [PARAMS]?: Params;
}

const RUN_FIELDS: readonly (RunField & keyof RunReferences)[] = [
  "dag_id",
  "run_id",
  "run_type",
  "logical_date",
  "data_interval_start",
  "data_interval_end",
  "run_after",
];

const OPTIONS: Record<keyof DagOptions, true> = {
  ...SCHEDULE_OPTIONS,
  timezone: true,
  start: true,
  end: true,
  catchup: true,
  maxActiveRuns: true,
  maxActiveTasks: true,
  maxActiveTasksPerDag: true,
  concurrency: true,
  params: true,
  tags: true,
  description: true,
  paused: true,
  defaults: true,
  onSuccess: true,
  onFailure: true,
  deadline: true,
};

/** Defines a DAG. `build` calls tasks; its call graph is the task graph. Export the result from the file. */
export function dag<Params extends object = Record<never, never>>(
  id: string,
  options: DagOptions<Params>,
  build: (context: DagContext<Params>) => void,
): Dag<Params> {
  const { draft, settings, callbacks } = atAuthorsLine(dag, () => {
    checkIdentifier("DAG", id);
    return readOptions(id, options, build);
  });
  const returned = buildDraft(draft, () => build(createContext<Params>(settings.params_schema, draft)));
  atAuthorsLine(dag, () => {
    if (returned instanceof Promise) {
      throw authorError(
        `DAG "${id}": its function is async. Make it a plain function: it only describes the tasks, which may be async.`,
      );
    }
    if (draft.tasks.size === 0) throw authorError(`DAG "${id}" has no tasks. Call at least one task in its function.`);
  });
  resolveGroupOrders(draft);
  refuseCycles(draft);
  const tasks = [...draft.tasks.values()];
  const functions = tasks.flatMap(({ definition, run }) => (run ? [[definition.task_id, run] as const] : []));
  const definition: DagDefinition = { ...settings, tasks: tasks.map((entry) => entry.definition) };
  if (draft.groups.length > 0) definition.groups = draft.groups;
  const timetable = timetableOf(options.schedule);
  const compiled = { definition, functions: Object.fromEntries(functions), ...(timetable && { timetable }) };
  const called = tasks.flatMap((entry) => nameCallbacks(entry.definition.task_id, entry.callbacks));
  called.push(...nameCallbacks(null, callbacks));
  if (called.length === 0) return { id, [COMPILED_DAG]: compiled };
  return { id, [COMPILED_DAG]: { ...compiled, callbacks: Object.fromEntries(called) } };
}

function readOptions(id: string, options: DagOptions, build: unknown) {
  const where = `DAG "${id}"`;
  const outer = findCurrentDraft();
  if (outer) throw authorError(`${where} is defined inside DAG "${outer.dagId}". Move it to the top of the file.`);
  refuseUnknownOptions(options, Object.keys(OPTIONS), where);
  if (typeof build !== "function") {
    throw authorError(
      `${where}: the third argument is ${describeValue(build)}. Give it the function that calls the tasks.`,
    );
  }
  const defaults = options.defaults ? compileSettings(options.defaults, `${where}: defaults`) : NO_SETTINGS;
  const draft = openDraft(id, defaults);
  const settings = compileOptions(id, options, where);
  const limits = compileDagLimits(options, where, createContext(settings.params_schema, draft), draft);
  const late = compileDeadline(options.deadline, where);
  const callbacks: Callbacks = { ...compileCallbacks(options, where), ...(late ? { deadline: late.callback } : {}) };
  const told = { ...listEvents(callbacks), ...(late ? { deadline: late.deadline } : {}) };
  return { draft, settings: { ...settings, ...limits, ...told }, callbacks };
}

function compileOptions(id: string, options: DagOptions, where: string): Omit<DagDefinition, "tasks"> {
  const timezone = checkTimezone(options.timezone, where);
  const start = toInstant(options.start, timezone, `${where}: start`);
  const end = toInstant(options.end, timezone, `${where}: end`);
  if (start !== null && end !== null && Temporal.Instant.compare(start, end) > 0) {
    throw authorError(`${where}: end (${end}) is before start (${start}).`);
  }
  const scheduled = compileScheduleOptions(options, timezone, start, where);
  const isContinuous = checkContinuous(scheduled.schedule, options.maxActiveRuns, where);
  return {
    dag_id: id,
    description: checkDescription(options.description, where),
    tags: checkTags(options.tags, where),
    ...scheduled,
    start_date: start,
    end_date: end,
    catchup: checkFlag(options.catchup, `${where}: catchup`),
    max_active_runs: isContinuous ? 1 : checkCount(options.maxActiveRuns, `${where}: maxActiveRuns`),
    max_active_tasks: checkCount(options.maxActiveTasks, `${where}: maxActiveTasks`),
    params_schema: compileParamsSchema(options.params, where),
    is_paused_upon_creation: checkFlag(options.paused, `${where}: paused`),
  };
}

function createContext<Params>(schema: JsonObject | null, draft: Draft): DagContext<Params> {
  const run = RUN_FIELDS.map((field) => [field, createReference({ kind: "run", field }, draft)]);
  // References carry their type for the compiler only.
  return {
    params: createParamReferences(schema, draft),
    run: Object.fromEntries(run),
  } as unknown as DagContext<Params>;
}

function checkFlag(value: unknown, path: string): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw authorError(`${path} is ${describeValue(value)}. Use true or false.`);
}

function checkCount(value: unknown, path: string): number {
  if (value === undefined) return 16;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw authorError(`${path} is ${describeValue(value)}. Use a whole number from 1 on.`);
}

function checkTags(tags: unknown, where: string): string[] {
  if (tags === undefined) return [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string" && tag.length <= 100)) return tags;
  throw authorError(`${where}: tags must be an array of strings of at most 100 characters.`);
}
