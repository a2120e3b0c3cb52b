// What a backfill does about each of its dates.

import type { RunState } from "./states.ts";

/** Which runs that exist already are run again: none, failed ones, or all that have ended. */
export const REPROCESS_BEHAVIORS = ["none", "failed", "completed"] as const;
export type ReprocessBehavior = (typeof REPROCESS_BEHAVIORS)[number];

/** create and reset take one of the backfill's places; the others are left alone. */
export type BackfillStep = "create" | "reset" | "already_exists" | "in_flight";

/** @param existing the state of the run with that date; null: there is none */
export function judgeBackfillDate(existing: RunState | null, reprocess: ReprocessBehavior): BackfillStep {
  switch (existing) {
    case null:
      return "create";
    // Somebody waits for them, whatever is to be reprocessed.
    case "queued":
    case "running":
      return "in_flight";
    case "failed":
      return reprocess === "none" ? "already_exists" : "reset";
    case "success":
      return reprocess === "completed" ? "reset" : "already_exists";
  }
}
