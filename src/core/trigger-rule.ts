// The 13 trigger rules as functions of the counters of direct upstream instances. The first matching line wins. A state is
// forced, and a task started, before all upstream instances are finished only where nothing that may still come could give
// another answer; so the end of an instance does not depend on the order in which its upstream ends. Airflow's does: there a
// skip that comes before a failure skips an all_success task, and one that comes after it does not.

import type { TriggerRule } from "./definition.ts";

export interface UpstreamCounters {
  total: number;
  success: number;
  failed: number;
  upstream_failed: number;
  skipped: number;
  /** Instances of a map that has shrunk: they count as not being there. */
  removed: number;
}

/** Of the setups that matter to a task: see core/setups.ts. Failed ones include those that never ran because of others. */
export interface SetupCounters {
  total: number;
  success: number;
  failed: number;
  skipped: number;
}

/** wait: not decided yet; run: may be scheduled; else the state that is forced without running. */
export type TriggerVerdict = "wait" | "run" | "upstream_failed" | "skipped" | "removed";

/**
 * @param mapIndex -1 for an instance that is not mapped; a mapped one is removed when its upstream shrank below it.
 */
export function judgeTriggerRule(
  rule: TriggerRule,
  upstream: UpstreamCounters,
  setups: SetupCounters,
  mapIndex: number,
): TriggerVerdict {
  if (rule === "all_done_setup_success") return judgeTeardown(upstream, setups);
  const constraint = judgeSetups(setups);
  return constraint === "run" ? judgeUpstream(rule, upstream, mapIndex) : constraint;
}

/** What was set up must be there before anything else is asked. */
function judgeSetups({ total, success, failed, skipped }: SetupCounters): TriggerVerdict {
  if (failed > 0) return "upstream_failed";
  // A failure may still come, and is the stronger reason.
  if (success + skipped < total) return "wait";
  return skipped > 0 ? "skipped" : "run";
}

/** A teardown runs when everything is over, and something was set up that it can take down. */
function judgeTeardown(upstream: UpstreamCounters, setups: SetupCounters): TriggerVerdict {
  if (!isAllDone(upstream) || setups.success + setups.failed + setups.skipped < setups.total) return "wait";
  if (setups.total === 0 || setups.success > 0) return "run";
  return setups.skipped >= setups.total ? "skipped" : "upstream_failed";
}

export function isAllDone({ total, success, failed, upstream_failed, skipped, removed }: UpstreamCounters): boolean {
  return success + failed + upstream_failed + skipped + removed >= total;
}

function judgeUpstream(
  rule: Exclude<TriggerRule, "all_done_setup_success">,
  upstream: UpstreamCounters,
  mapIndex: number,
) {
  const { success, skipped, removed } = upstream;
  const failed = upstream.failed + upstream.upstream_failed;
  const allDone = isAllDone(upstream);
  const expected = upstream.total - removed;
  if (upstream.total === 0) return "run";
  switch (rule) {
    case "always":
      return "run";
    case "all_success":
      if (failed > 0) return "upstream_failed";
      if (!allDone) return "wait";
      if (skipped > 0) return "skipped";
      return removed > 0 && success > 0 && mapIndex >= success ? "removed" : "run";
    case "all_failed":
      if (success > 0 || skipped > 0) return "skipped";
      return allDone ? "run" : "wait";
    case "all_done":
      return allDone ? "run" : "wait";
    case "all_skipped":
      if (success > 0 || failed > 0) return "skipped";
      return allDone ? "run" : "wait";
    case "one_success":
      if (success > 0) return "run";
      if (!allDone) return "wait";
      return skipped >= expected ? "skipped" : "upstream_failed";
    case "one_failed":
      if (failed > 0) return "run";
      return allDone ? "skipped" : "wait";
    case "one_done":
      // upstream_failed does not count: nothing has been done there.
      if (success + upstream.failed > 0) return "run";
      return allDone ? "skipped" : "wait";
    case "none_failed":
      if (failed > 0) return "upstream_failed";
      return allDone ? "run" : "wait";
    case "none_failed_min_one_success":
      if (failed > 0) return "upstream_failed";
      if (!allDone) return "wait";
      return skipped >= expected ? "skipped" : "run";
    case "none_skipped":
      if (skipped > 0) return "skipped";
      return allDone ? "run" : "wait";
    case "all_done_min_one_success":
      if (skipped > 0) return "skipped";
      if (!allDone) return "wait";
      return success > 0 ? "run" : "upstream_failed";
  }
}
