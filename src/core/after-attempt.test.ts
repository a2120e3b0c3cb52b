import { describe, expect, it } from "vitest";
import { decideAfterAttempt, relaunchDelay } from "./after-attempt.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";

const outcome = (kind: OutcomeKind, retryable = true): Outcome => ({
  kind,
  reason: `because ${kind}`,
  exit_code: null,
  error: null,
  retryable,
});
const policy = { retries: 1, retry_delay: 30 };
const fresh = { try_number: 1, max_tries: 2, infrastructure_failures: 0 };

describe("decideAfterAttempt", () => {
  it("ends in success without a reason", () => {
    expect(decideAfterAttempt(outcome("success"), policy, fresh, 3)).toEqual({
      state: "success",
      infrastructure_failures: 0,
      retry_in: null,
      reason: null,
    });
  });

  it("spends a retry on the task's own failure, then fails with its reason", () => {
    const after = decideAfterAttempt(outcome("task_failed"), policy, fresh, 3);
    expect(after).toMatchObject({ state: "up_for_retry", retry_in: 30, infrastructure_failures: 0 });
    expect(after.reason).toBe("try 2 of 2 follows in 30 s: because task_failed");
    expect(decideAfterAttempt(outcome("task_failed"), policy, { ...fresh, try_number: 2 }, 3)).toMatchObject({
      state: "failed",
      reason: "because task_failed",
    });
  });

  it("does not retry an error that asks for none", () => {
    expect(decideAfterAttempt(outcome("task_failed", false), policy, fresh, 3).state).toBe("failed");
  });

  it.each(["evicted", "node_lost", "out_of_memory", "lost", "image_error"] as const)(
    "spends no retry on %s, within the infrastructure budget",
    (kind) => {
      const spentTries = { ...fresh, try_number: 2 };
      const after = decideAfterAttempt(outcome(kind), policy, spentTries, 1);
      expect(after).toMatchObject({ state: "up_for_retry", infrastructure_failures: 1, retry_in: 1 });
      const last = decideAfterAttempt(outcome(kind), policy, { ...spentTries, infrastructure_failures: 1 }, 1);
      expect(last.state).toBe("failed");
      expect(last.reason).toContain(`because ${kind}`);
    },
  );

  it("repeats nothing that can never work", () => {
    expect(decideAfterAttempt(outcome("launch_refused"), policy, fresh, 3).state).toBe("failed");
    expect(decideAfterAttempt(outcome("cancelled"), policy, fresh, 3).state).toBe("failed");
  });

  it("waits longer before each relaunch, a minute at most", () => {
    expect([1, 2, 3, 4, 9].map(relaunchDelay)).toEqual([1, 5, 25, 60, 60]);
  });
});
