// What becomes of a task instance when an attempt has ended: which budget pays, and whether another attempt follows.

import { chargeOf, type Outcome } from "./outcome.ts";
import { allowsRetry, retryDelay, type RetryPolicy } from "./retry-policy.ts";
import type { TaskState } from "./states.ts";

export interface InstanceBudget {
  /** The user's tries so far, the one that ended included. */
  try_number: number;
  max_tries: number;
  infrastructure_failures: number;
}

export interface AfterAttempt {
  state: Extract<TaskState, "success" | "skipped" | "failed" | "up_for_retry" | "restarting">;
  infrastructure_failures: number;
  /** Seconds from now until the next attempt may start; null when there is none. */
  retry_in: number | null;
  reason: string | null;
}

/** Seconds before the 1st, 2nd, 3rd … relaunch after the cluster's fault: 1, 5, 25 … at most 60. */
export function relaunchDelay(failures: number): number {
  return Math.min(60, 5 ** Math.max(0, failures - 1));
}

/**
 * @param infrastructureBudget how many of the cluster's faults one instance may suffer before it fails
 * @param quarantine seconds until the old process must have stopped by itself, 0 when it is known to have ended
 * @param seed names the instance: growing delays of different instances are spread by it
 */
export function decideAfterAttempt(
  outcome: Outcome,
  policy: RetryPolicy,
  budget: InstanceBudget,
  infrastructureBudget: number,
  quarantine = 0,
  seed = "",
): AfterAttempt {
  const spent = budget.infrastructure_failures;
  const ended = (state: AfterAttempt["state"], reason: string | null): AfterAttempt => ({
    state,
    infrastructure_failures: spent,
    retry_in: null,
    reason,
  });
  const charge = chargeOf(outcome.kind);
  switch (charge) {
    case "none":
      return outcome.kind === "skipped" ? ended("skipped", outcome.reason) : ended("success", null);
    case "final":
      return ended("failed", outcome.reason);
    case "retry": {
      if (outcome.retryable === false || budget.try_number >= budget.max_tries) return ended("failed", outcome.reason);
      const refusal = allowsRetry(policy, outcome);
      if (refusal !== null) return ended("failed", `${outcome.reason} (${refusal})`);
      const next = `try ${budget.try_number + 1} of ${budget.max_tries}`;
      const delay = retryDelay(policy, seed, budget.try_number);
      return {
        state: "up_for_retry",
        infrastructure_failures: spent,
        retry_in: Math.max(delay, quarantine),
        reason: `${next} follows in ${Math.round(delay * 1000) / 1000} s: ${outcome.reason}`,
      };
    }
    case "infrastructure": {
      const failures = spent + 1;
      if (failures > infrastructureBudget) {
        return {
          state: "failed",
          infrastructure_failures: failures,
          retry_in: null,
          reason: `${outcome.reason} (the cluster failed it ${failures === 1 ? "once" : `${failures} times`}, its budget is ${infrastructureBudget})`,
        };
      }
      const wait = relaunchDelay(failures);
      return {
        state: "up_for_retry",
        infrastructure_failures: failures,
        retry_in: Math.max(wait, quarantine),
        reason: `started again ${whenAgain(wait, quarantine)} without spending a retry, fault ${failures} of ${infrastructureBudget}: ${outcome.reason}`,
      };
    }
  }
}

/** The attempt of an instance that was cleared meanwhile: its end decides nothing but when the next one may begin. */
export function decideAfterClear(budget: InstanceBudget, quarantine: number): AfterAttempt {
  const { infrastructure_failures } = budget;
  const reason = "it was cleared, and starts again once its worker has stopped";
  return { state: "restarting", infrastructure_failures, retry_in: quarantine, reason };
}

function whenAgain(wait: number, quarantine: number): string {
  return quarantine > wait
    ? `once its worker has stopped, ${Math.ceil(quarantine)} s from now at the latest,`
    : `in ${wait} s`;
}

/** What is known of an attempt's process when its outcome is written. */
export interface EndedProcess {
  /** Its end was seen, or it said so itself. */
  process_ended: boolean;
  /** null: it never started, and never will, because a start is refused from now on. */
  heartbeat_at: Date | null;
}

/**
 * Seconds until a process whose end nobody saw must have stopped: a worker ends itself when it is refused, or has not
 * been heard for `fence` seconds.
 */
export function quarantineOf(ended: EndedProcess, fence: number, now: Date): number {
  if (ended.process_ended || ended.heartbeat_at === null) return 0;
  return Math.max(0, fence - (now.getTime() - ended.heartbeat_at.getTime()) / 1000);
}
