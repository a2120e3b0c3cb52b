// Attempts that have waited or been silent for too long, and the outcome that this is. Writing the outcome fences the
// attempt off: its worker is refused from then on, whether or not its pod can be reached.

import type { WaitingKind } from "./observation.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";

export interface OverdueLimits {
  /** Seconds; each from when the kind of wait began. */
  image: number;
  configuration: number;
  /** From launch until a worker has started, whatever it waits for. */
  start: number;
  /** Without a heartbeat. A worker stops itself before: see contract/execution.ts heartbeat_timeout. */
  heartbeat: number;
}

export interface OpenAttempt {
  attempt_id: string;
  state: "launched" | "running";
  launched_at: Date;
  pod_scheduled_at: Date | null;
  /** The task's own limits, in seconds; null: the installation's. */
  schedule_timeout: number | null;
  start_timeout: number | null;
  heartbeat_at: Date | null;
  deadline_at: Date | null;
  waiting_kind: WaitingKind | null;
  waiting_reason: string | null;
  waiting_since: Date | null;
}

/** The outcome of an attempt that is overdue at `now`, or null. */
export function judgeOverdue(attempt: OpenAttempt, limits: OverdueLimits, now: Date): Outcome | null {
  const since = (instant: Date) => (now.getTime() - instant.getTime()) / 1000;
  const end = (kind: OutcomeKind, reason: string): Outcome => ({ kind, reason, exit_code: null, error: null });
  if (attempt.state === "running") {
    if (attempt.deadline_at && now >= attempt.deadline_at) {
      return end("timed_out", "it ran past its execution timeout and its worker did not end it");
    }
    if (attempt.heartbeat_at && since(attempt.heartbeat_at) >= limits.heartbeat) {
      return end(
        "lost",
        `no heartbeat for ${Math.round(since(attempt.heartbeat_at))} s; the limit is ${limits.heartbeat} s`,
      );
    }
    return null;
  }
  const { waiting_kind: kind, waiting_since: waitingSince, waiting_reason: why } = attempt;
  if (kind === "image" && waitingSince && since(waitingSince) >= limits.image) {
    return end("image_error", why ?? "its image cannot be pulled");
  }
  if (kind === "configuration" && waitingSince && since(waitingSince) >= limits.configuration) {
    return end("configuration_error", why ?? "its container cannot be made");
  }
  const { limit, from, what } = findStartLimit(attempt, limits);
  if (since(from) < limit) return null;
  return end("start_timeout", `it ${what} within ${limit} s${why === null ? "" : `: ${why}`}`);
}

/**
 * A task's own limits are two: until a node has its pod, and from then until it runs, because a cluster that grows on
 * demand takes longer for the first than anybody wants to wait for the second.
 */
function findStartLimit(
  { launched_at, pod_scheduled_at, schedule_timeout, start_timeout }: OpenAttempt,
  limits: OverdueLimits,
): { limit: number; from: Date; what: string } {
  const own = schedule_timeout ?? start_timeout;
  if (own === null) return { limit: limits.start, from: launched_at, what: "did not start" };
  if (pod_scheduled_at === null) return { limit: own, from: launched_at, what: "got no node" };
  // The node's clock is another than ours: its time may lie before the launch.
  const from = pod_scheduled_at < launched_at ? launched_at : pod_scheduled_at;
  return { limit: start_timeout ?? limits.start, from, what: "did not start on its node" };
}
