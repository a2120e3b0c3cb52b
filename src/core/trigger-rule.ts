// The 13 trigger rules as functions of the counters of finished direct upstream instances.
// The first matching line wins, and a state may be forced before all upstream instances are finished.

import type { TriggerRule } from "./definition.ts";

export interface UpstreamCounters {
  total: number;
  success: number;
  failed: number;
  upstream_failed: number;
  skipped: number;
  removed: number;
}

/** wait: not decided yet; run: may be scheduled; else the state that is forced without running. */
export type TriggerVerdict = "wait" | "run" | "upstream_failed" | "skipped" | "removed";

/**
 * @param mapIndex -1 for an instance that is not mapped; a mapped one is removed when its upstream shrank below it.
 */
export function judgeTriggerRule(rule: TriggerRule, upstream: UpstreamCounters, mapIndex: number): TriggerVerdict {
  const { total, success, skipped, removed } = upstream;
  const failed = upstream.failed + upstream.upstream_failed;
  const done = success + failed + skipped + removed;
  const allDone = done >= total;
  if (total === 0) return "run";
  switch (rule) {
    case "always":
      return "run";
    case "all_success":
      if (failed > 0) return "upstream_failed";
      if (skipped > 0) return "skipped";
      if (removed > 0 && mapIndex >= 0 && allDone && mapIndex >= success) return "removed";
      return success + (mapIndex >= 0 ? removed : 0) >= total ? "run" : "wait";
    case "all_failed":
      if (success > 0 || skipped > 0) return "skipped";
      return failed + (mapIndex >= 0 ? removed : 0) >= total ? "run" : "wait";
    case "all_done":
      return allDone ? "run" : "wait";
    case "all_skipped":
      if (success > 0 || failed > 0) return "skipped";
      return skipped >= total ? "run" : "wait";
    case "one_success":
      if (success > 0) return "run";
      if (!allDone) return "wait";
      return skipped >= total ? "skipped" : "upstream_failed";
    case "one_failed":
      if (failed > 0) return "run";
      return allDone ? "skipped" : "wait";
    case "one_done":
      // upstream_failed does not count: nothing has been done there.
      if (success + upstream.failed > 0) return "run";
      return allDone ? "skipped" : "wait";
    case "none_failed":
      if (failed > 0) return "upstream_failed";
      return success + skipped + (mapIndex >= 0 ? removed : 0) >= total ? "run" : "wait";
    case "none_failed_min_one_success":
      if (failed > 0) return "upstream_failed";
      if (skipped >= total) return "skipped";
      return success + skipped + (mapIndex >= 0 ? removed : 0) >= total ? "run" : "wait";
    case "none_skipped":
      if (skipped > 0) return "skipped";
      return allDone ? "run" : "wait";
    case "all_done_min_one_success":
      if (skipped > 0) return "skipped";
      if (!allDone) return "wait";
      return success > 0 ? "run" : "upstream_failed";
    case "all_done_setup_success":
      if (!allDone) return "wait";
      if (skipped >= total) return "skipped";
      return success > 0 ? "run" : "upstream_failed";
  }
}
