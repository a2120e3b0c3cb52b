// A DAG as plain data: what is left of an author's file after it was evaluated. The `sdk` produces it,
// `contract/definition.ts` validates it, Postgres keeps it with the bundle, and every rule in `core` reads it.
// Names are snake_case because the value crosses processes; durations are seconds.

import type { CallbackEvent, CallbackSecrets, Deadline } from "./callback.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Operator } from "./operator.ts";

/** Where a task's input comes from; resolved on the server when an attempt starts. */
export type Expression =
  | { kind: "value"; value: Json }
  | { kind: "param"; path: string[] }
  /** Of a task with several instances, seen from outside: the array of their results; `each` is the path into its items. */
  | { kind: "result"; task_id: string; each?: string[]; path: string[] }
  /** What the instance is mapped over: its item of the named array. */
  | { kind: "item"; name: string; path: string[] }
  | { kind: "run"; field: RunField }
  | { kind: "object"; fields: { [name: string]: Expression } }
  | { kind: "array"; items: Expression[] };

/** Facts of the run that a task may take as input; dates are ISO 8601 in UTC, or null. */
export const RUN_FIELDS = [
  "dag_id",
  "run_id",
  "run_type",
  "logical_date",
  "data_interval_start",
  "data_interval_end",
  "run_after",
] as const;
export type RunField = (typeof RUN_FIELDS)[number];

export const TRIGGER_RULES = [
  "all_success",
  "all_failed",
  "all_done",
  "all_skipped",
  "one_success",
  "one_failed",
  "one_done",
  "none_failed",
  "none_failed_min_one_success",
  "none_skipped",
  "all_done_min_one_success",
  "all_done_setup_success",
  "always",
] as const;
export type TriggerRule = (typeof TRIGGER_RULES)[number];

/**
 * pod: an image of the author's, without our worker in it. wait: nothing runs; see core/operator.ts. expand: decides how often
 * the tasks of its mapped group run.
 */
export type TaskKind = "function" | "empty" | "pod" | "wait" | "expand";

export type TaskRole = "setup" | "teardown";

/** What a task, or all tasks of a mapped group, run over: one instance for each item. */
export interface MapDefinition {
  /** Each must turn out to be an array; an instance's inputs refer to its item by the name. A list, for jsonb sorts keys. */
  over: { name: string; array: Expression }[];
  /** Of several arrays: items in pairs. Absent: every combination, the last array fastest. */
  mode?: "zip";
  /** Absent: DEFAULT_MAX_MAP_LENGTH. */
  max_length?: number;
  /** What an instance is called, from its items; an array is joined. */
  label?: Expression;
}

export const DEFAULT_MAX_MAP_LENGTH = 1024;
export const LARGEST_MAX_MAP_LENGTH = 100_000;

/** A group of tasks; one that is mapped has a task of kind expand under the same id. */
export interface GroupDefinition {
  group_id: string;
  /** The group around it. */
  parent?: string;
}

/** The main container of a task of kind pod; its inputs may set more of `env`, and other `arguments`. */
export interface ContainerDefinition {
  image: string;
  /** null: the image's own entry point. */
  cmds: string[] | null;
  /** null: the image's own. */
  arguments: string[] | null;
  env: { [name: string]: string };
  /** Whether its output is kept as the task's log. */
  get_logs: boolean;
  /** Exit codes by which it says that there was nothing to do. */
  skip_on_exit_codes: number[];
  /** The file that it leaves its result in; absent: the termination message. */
  result_file?: string;
  /** Where its pod runs, by the name that the installation gives it; absent: the installation's own. */
  cluster?: string;
}

/** Which pods of ended attempts stay, and for how many seconds; null: until someone deletes them. */
export interface KeptPods {
  keep: "failed" | "always";
  for: number | null;
}

/** After an out-of-memory kill: `factor` times the limit, up to `max`, a quantity such as "4Gi". */
export interface MemoryGrowth {
  factor: number;
  max: string;
}

export interface TaskDefinition {
  task_id: string;
  kind: TaskKind;
  /** Direct upstream tasks, from data edges and from ordering alike, without repeats. */
  upstream: string[];
  trigger_rule: TriggerRule;
  /** The named inputs of the task function; of a pod, its `env` and `arguments`. */
  inputs: { [name: string]: Expression };
  /** Tries after the first that the task's own failures may spend. */
  retries: number;
  retry_delay: number;
  /** Each attempt's limit, from the first line of the task's code; null is none. */
  execution_timeout: number | null;
  /** A partial Kubernetes Pod (metadata and spec), merged over the installation's template. */
  pod: JsonObject | null;
  /** Of kind pod, null of others. */
  container: ContainerDefinition | null;
  /** Keys of the variables that its code is given; none when absent. */
  variables?: string[];
  /** Ids of the connections that its code is given; none when absent. */
  connections?: string[];
  /** What it is beside its kind; absent for a plain one. */
  operator?: Operator;
  /** Events that the author's functions are called about; absent for none. */
  callbacks?: CallbackEvent[];
  callback_secrets?: CallbackSecrets;
  description: string | null;
  /** "default_pool" when absent. */
  pool?: string;
  /** 1 when absent. */
  pool_slots?: number;
  /** Its own, 1 when absent; the rule ("downstream" when absent) says which other tasks' weights are added. */
  priority_weight?: number;
  weight_rule?: WeightRule;
  /** Instances queued or running at once in all runs of the DAG, and in one; no limit when absent. */
  max_active?: number;
  max_active_per_run?: number;
  /** At most `limit` instances at once, in all runs, whose input has the same value; the path begins with the input's name. */
  concurrency?: { path: string[]; limit: number };
  /** Retries are delayed as `retry_delay` says when absent, else by its growth with each try. */
  retry_backoff?: RetryBackoff;
  /** Names of errors, or kinds of outcome, after which alone the task is tried again; after all when absent. */
  retry_on?: string[];
  /** … after which it is not. */
  no_retry_on?: string[];
  /** Waits until it has succeeded, or was skipped, in the run before; wait_for_downstream: and its direct downstream too. */
  depends_on_past?: boolean;
  wait_for_downstream?: boolean;
  map?: MapDefinition;
  /** The innermost group that it is in. */
  group?: string;
  role?: TaskRole;
  /** Of a teardown: its failure fails the run. */
  fails_run?: boolean;
  /** Absent: pods are removed once their attempts have ended. */
  pods?: KeptPods;
  /** Absent: memory does not grow. */
  memory_growth?: MemoryGrowth;
  /** From launch until a node has the pod; absent: start_timeout. */
  schedule_timeout?: number;
  /** From then until the task runs; absent: the installation's limit, from launch on. */
  start_timeout?: number;
  /** Assets of which its success is an event; none when absent. */
  outlets?: AssetDefinition[];
}

/** Which weights a task's priority is the sum of: its own and those of all tasks after it, or before it, or its own alone. */
export const WEIGHT_RULES = ["downstream", "upstream", "absolute"] as const;
export type WeightRule = (typeof WEIGHT_RULES)[number];

export interface RetryBackoff {
  /** Each delay is this many times the one before. */
  factor: number;
  /** The longest delay in seconds; absent: a day. */
  max?: number;
}

/** Times are ISO instants. */
export type Schedule =
  | { kind: "cron"; expression: string; timezone: string }
  /** A time that several of them name fires once. */
  | { kind: "crons"; expressions: string[]; timezone: string }
  | { kind: "interval"; seconds: number; anchor: string }
  /** At the start, or when the DAG is first seen. */
  | { kind: "once" }
  /** When the former run has ended. */
  | { kind: "continuous" }
  /** In ascending order. */
  | { kind: "times"; times: string[] }
  /** A function of the author's: its times are computed ahead, in the sealed evaluator. */
  | { kind: "custom"; timezone: string };

/** What tasks produce and runs wait for. */
export type AssetDefinition = {
  /** What it is known by, in all DAGs. */
  name: string;
  uri: string;
  /** Absent: "asset". */
  group?: string;
  /** Facts about it; absent: none. */
  extra?: JsonObject;
};

/** Which assets must have had an event since the DAG's last run of this kind. */
export type AssetCondition =
  | { kind: "asset"; asset: AssetDefinition }
  | { kind: "any"; of: AssetCondition[] }
  | { kind: "all"; of: AssetCondition[] };

export interface DagDefinition {
  dag_id: string;
  description: string | null;
  tags: string[];
  /** null: only manual and API-triggered runs. */
  schedule: Schedule | null;
  /** Runs are also created when it holds; absent: no asset creates any. */
  assets?: AssetCondition;
  /** ISO instants; no run is created for a time outside them. */
  start_date: string | null;
  end_date: string | null;
  catchup: boolean;
  /** "previous": a run at each tick for the time since the tick before, which is its logical date. Absent: zero width. */
  intervals?: "previous";
  /** Seconds by which runs are created later than their tick, at most; each by its own share. Absent: none. */
  jitter?: number;
  /** Failed runs one after the other that pause the DAG. Absent: it is never paused. */
  max_consecutive_failed_runs?: number;
  /** Seconds that a run may take from its start. Absent: any time. */
  run_timeout?: number;
  max_active_runs: number;
  /** Task instances of one run that may be queued or running at once. */
  max_active_tasks: number;
  /** The same of all its runs together; no limit when absent. */
  max_active_tasks_per_dag?: number;
  /** At most `limit` runs at once for which the key, made of params and facts of the run, has the same value. */
  concurrency?: { key: Expression; limit: number };
  /** JSON Schema (draft 2020-12) of the run's params; null: it takes none. */
  params_schema: JsonObject | null;
  is_paused_upon_creation: boolean;
  /** Of its runs, as those of a task. */
  callbacks?: CallbackEvent[];
  callback_secrets?: CallbackSecrets;
  /** When a run is late, upon which its callback "deadline" is called. */
  deadline?: Deadline;
  tasks: TaskDefinition[];
  /** Outer before inner. */
  groups?: GroupDefinition[];
}
