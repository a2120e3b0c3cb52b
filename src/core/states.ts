// The states of runs, task instances and attempts, under Airflow's names, and what each one means for progress.

export const TASK_STATES = [
  "scheduled",
  "queued",
  "running",
  "restarting",
  "success",
  "failed",
  "up_for_retry",
  "up_for_reschedule",
  "deferred",
  "upstream_failed",
  "skipped",
  "removed",
] as const;

/** A task instance's state; null means that its dependencies have not been met yet. */
export type TaskState = (typeof TASK_STATES)[number];

const FINISHED_TASK_STATES = [
  "success",
  "failed",
  "upstream_failed",
  "skipped",
  "removed",
] as const satisfies readonly TaskState[];
export type FinishedTaskState = (typeof FINISHED_TASK_STATES)[number];

export const RUN_STATES = ["queued", "running", "success", "failed"] as const;
export type RunState = (typeof RUN_STATES)[number];
export type RunEnd = Extract<RunState, "success" | "failed">;

export const RUN_TYPES = ["manual", "scheduled", "backfill", "asset_triggered"] as const;
export type RunType = (typeof RUN_TYPES)[number];

/**
 * An attempt's place on its way: queued (a row only), launching (an executor holds it under a lease),
 * launched (a pod or process exists), running (its worker has started), finished (its outcome is written).
 */
export const ATTEMPT_STATES = ["queued", "launching", "launched", "running", "finished"] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

export function isFinishedTaskState(state: TaskState | null): state is FinishedTaskState {
  return state !== null && (FINISHED_TASK_STATES as readonly TaskState[]).includes(state);
}
