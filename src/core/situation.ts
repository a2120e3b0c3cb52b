// All that the explanation of one task instance depends on, and what an explanation is. The store reads the one,
// explain.ts makes the other.

import type { TriggerRule } from "./definition.ts";
import type { WaitingKind } from "./observation.ts";
import { FINAL_OUTCOMES, INFRASTRUCTURE_OUTCOMES, type OutcomeKind, TASK_OUTCOMES, type TaskError } from "./outcome.ts";
import type { AttemptState, RunState, TaskState } from "./states.ts";

/** What holds an instance, or that it runs. */
export const WAITING_CAUSES = [
  "run_not_due",
  "run_limit",
  "run_key",
  "run_ended",
  "dag_paused",
  "no_scheduler",
  "next_pass",
  "upstream",
  "past",
  "slot",
  "retry",
  "reschedule",
  "deferred",
  "restarting",
  "launch_queue",
  "launching",
  "launch_put_off",
  "unschedulable",
  "image",
  "configuration",
  "starting",
  "running",
  "silent",
  "stopping",
] as const;

/** What ended it: the kind of its outcome, unless it never ran or a person said so. */
export const END_CAUSES = [
  "upstream_failed",
  "upstream_skipped",
  "removed",
  "failed",
  "success",
  "skipped",
  ...TASK_OUTCOMES,
  ...INFRASTRUCTURE_OUTCOMES,
  ...FINAL_OUTCOMES,
] as const;
export const CAUSES = [...WAITING_CAUSES, ...END_CAUSES] as const;
export type Cause = (typeof CAUSES)[number];

export interface Explanation {
  /** One complete sentence; where a person can do something about it, it says what. */
  sentence: string;
  cause: Cause;
}

export interface InstanceSituation {
  task_id: string;
  /** -1: not mapped. */
  map_index: number;
  state: TaskState | null;
  try_number: number;
  max_tries: number;
  infrastructure_failures: number;
  /** The next attempt repeats the try, because the cluster failed the last one. */
  same_try: boolean;
  retry_at: Date | null;
  scheduled_at: Date | null;
  start_date: Date | null;
  end_date: Date | null;
  reason: string | null;
  /** It waits for an instance of the run before. */
  waits_for_past: boolean;
  /** When the event came that it is going to wait for; null: none is kept. */
  event_at: Date | null;
}

export interface RunSituation {
  dag_run_id: string;
  state: RunState;
  reason: string | null;
  run_after: Date;
  /** Runs of the DAG that are running now. */
  running: number;
  /** Due runs of the DAG that are queued before this one. */
  ahead: number;
}

export interface DagSituation {
  dag_id: string;
  is_paused: boolean;
  max_active_runs: number;
}

/** Direct upstream instances in one state. */
export interface UpstreamGroup {
  state: TaskState | null;
  count: number;
  /** A few of them. */
  names: string[];
}

export interface UpstreamSituation {
  trigger_rule: TriggerRule;
  groups: UpstreamGroup[];
  /** Setups that count beside them. */
  setups: UpstreamGroup[];
  /** It stands for all instances of a map: whatever its rule, the arrays come first. */
  unexpanded: boolean;
  /** Ancestors that failed by themselves, the first to fail first, with their reasons. */
  failed: { name: string; reason: string | null }[];
}

export interface AttemptSituation {
  state: AttemptState;
  executor: string;
  namespace: string | null;
  pod_name: string | null;
  hostname: string | null;
  claimed_by: string | null;
  claimed_until: Date | null;
  launch_failures: number;
  launch_after: Date | null;
  queued_at: Date;
  launched_at: Date | null;
  pod_scheduled_at: Date | null;
  image_pulled_at: Date | null;
  container_started_at: Date | null;
  started_at: Date | null;
  heartbeat_at: Date | null;
  finished_at: Date | null;
  /** Bytes. The limit is what its pod was given, the floor what its task has learned to need, where the task may grow. */
  memory_peak: number | null;
  memory_limit: number | null;
  memory_floor: number | null;
  /** The limit at which the last attempt was killed that the floor was learned from. */
  memory_killed_at: number | null;
  waiting_kind: WaitingKind | null;
  waiting_reason: string | null;
  waiting_since: Date | null;
  /** The newest of its pod's events, where it was asked for. */
  last_event: string | null;
  last_event_at: Date | null;
  stop_reason: string | null;
  stop_requested_at: Date | null;
  outcome: OutcomeKind | null;
  outcome_reason: string | null;
  exit_code: number | null;
  error: TaskError | null;
}

export interface Situation {
  instance: InstanceSituation;
  run: RunSituation;
  dag: DagSituation;
  upstream: UpstreamSituation;
  /** The newest; null: there has been none. */
  attempt: AttemptSituation | null;
  /** The last lines that say most of the newest attempt's log, oldest first. */
  log: { level: string; event: string }[];
  /** Executors of the schedulers that are alive. */
  scheduler: { alive: boolean; seen_at: Date | null; executors: readonly string[] };
  limits: {
    /** Faults of the cluster that one instance may suffer. */
    infrastructure_budget: number;
    /** Seconds between heartbeats, and without one until an attempt is given up. */
    heartbeat_interval: number;
    fence: number;
  };
}

/** `Task "load"`, or `Task "load" [3]` of a mapped one. */
export function nameTask({ task_id, map_index }: Pick<InstanceSituation, "task_id" | "map_index">): string {
  return map_index === -1 ? `Task "${task_id}"` : `Task "${task_id}" [${map_index}]`;
}
