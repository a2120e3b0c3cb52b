// How an attempt ended. Written once; decides which budget the end is charged to.

/** Ends that the task's own code caused: they spend `retries`. */
export const TASK_OUTCOMES = ["task_failed", "timed_out", "exited_silently"] as const;

/** Ends that the cluster caused: they spend the infrastructure budget. */
export const INFRASTRUCTURE_OUTCOMES = [
  "out_of_memory",
  "evicted",
  "preempted",
  "drained",
  "node_lost",
  "image_error",
  "configuration_error",
  "launch_failed",
  "start_timeout",
  "deleted",
  "lost",
] as const;

/** Ends that no repetition can better. */
export const FINAL_OUTCOMES = ["launch_refused", "cancelled"] as const;

export type OutcomeKind =
  | "success"
  | "skipped"
  | (typeof TASK_OUTCOMES)[number]
  | (typeof INFRASTRUCTURE_OUTCOMES)[number]
  | (typeof FINAL_OUTCOMES)[number];

export interface Outcome {
  kind: OutcomeKind;
  /** One sentence for a person: what ended the attempt. */
  reason: string;
  exit_code: number | null;
  /** false: the task asked not to be tried again. */
  retryable?: boolean;
  /** What the task threw, its stack mapped to the author's file. */
  error: TaskError | null;
}

export interface TaskError {
  name: string;
  message: string;
  stack: string | null;
}

export type OutcomeCharge = "none" | "retry" | "infrastructure" | "final";

export function chargeOf(kind: OutcomeKind): OutcomeCharge {
  if (kind === "success" || kind === "skipped") return "none";
  if ((TASK_OUTCOMES as readonly string[]).includes(kind)) return "retry";
  if ((FINAL_OUTCOMES as readonly string[]).includes(kind)) return "final";
  return "infrastructure";
}
