// An attempt that someone wants to end: what to do next, and what its end is called.

import type { Outcome } from "./outcome.ts";
import type { AttemptState } from "./states.ts";

/** end: nothing runs, its outcome is written; remove: its executor ends what runs; wait: it is being handed out just now. */
export type StopStep = "end" | "remove" | "wait";

export function decideStop(
  attempt: { state: Exclude<AttemptState, "finished">; claimed_until: Date | null },
  now: Date,
): StopStep {
  switch (attempt.state) {
    case "queued":
      return "end";
    case "launching":
      return attempt.claimed_until !== null && attempt.claimed_until > now ? "wait" : "end";
    case "launched":
    case "running":
      return "remove";
  }
}

export function cancelledBecause(reason: string): Outcome {
  return { kind: "cancelled", reason, exit_code: null, error: null };
}

/** What a task returned within its grace stays true; any other end was that of the person who asked for it. */
export function judgeStopped(outcome: Outcome, stopReason: string | null): Outcome {
  if (stopReason === null || outcome.kind === "success" || outcome.kind === "skipped") return outcome;
  return { ...outcome, kind: "cancelled", reason: stopReason };
}
