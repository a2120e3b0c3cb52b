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
  if (since(attempt.launched_at) >= limits.start) {
    return end("start_timeout", `it did not start within ${limits.start} s${why === null ? "" : `: ${why}`}`);
  }
  return null;
}
