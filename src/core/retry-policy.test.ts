import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideAfterAttempt } from "./after-attempt.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import { allowsRetry, LONGEST_RETRY_DELAY, retryDelay, type RetryPolicy } from "./retry-policy.ts";

const outcomeOf = (kind: OutcomeKind, name: string | null): Outcome => ({
  kind,
  reason: "it failed",
  exit_code: null,
  error: name === null ? null : { name, message: "no", stack: null },
});

describe("whether a failure is tried again", () => {
  const cases: [string[] | undefined, string[] | undefined, OutcomeKind, string | null, string | null][] = [
    [undefined, undefined, "task_failed", "TypeError", null],
    [["HttpError"], undefined, "task_failed", "HttpError", null],
    [["HttpError"], undefined, "task_failed", "TypeError", "not tried again: retryOn does not name TypeError"],
    [["HttpError"], undefined, "timed_out", null, "not tried again: retryOn does not name TimeoutError"],
    [["TimeoutError"], undefined, "timed_out", null, null],
    [["timed_out"], undefined, "timed_out", "TimeoutError", null],
    [[], undefined, "task_failed", "Error", "not tried again: retryOn does not name Error"],
    [undefined, ["TypeError"], "task_failed", "TypeError", "not tried again: noRetryOn names TypeError"],
    [undefined, ["TypeError"], "task_failed", "RangeError", null],
    [undefined, ["exited_silently"], "exited_silently", null, "not tried again: noRetryOn names exited_silently"],
    [["TypeError"], ["TypeError"], "task_failed", "TypeError", "not tried again: noRetryOn names TypeError"],
  ];
  it.each(cases)("retryOn %j, noRetryOn %j: %s %s", (on, not, kind, name, expected) => {
    const policy = { retry_delay: 1, ...(on ? { retry_on: on } : {}), ...(not ? { no_retry_on: not } : {}) };
    expect(allowsRetry(policy, outcomeOf(kind, name))).toBe(expected);
  });

  const policy = { retry_delay: 1, retry_on: ["HttpError"] };
  const budget = { try_number: 1, max_tries: 3, infrastructure_failures: 0 };
  it("ends the instance with the reason", () => {
    expect(decideAfterAttempt(outcomeOf("task_failed", "TypeError"), policy, budget, 3)).toMatchObject({
      state: "failed",
      reason: "it failed (not tried again: retryOn does not name TypeError)",
    });
  });
  it("is not asked about faults of the cluster", () => {
    expect(decideAfterAttempt(outcomeOf("evicted", null), policy, budget, 3).state).toBe("up_for_retry");
  });
});

describe("how long until the next try", () => {
  const nominal: [RetryPolicy, number, number][] = [
    [{ retry_delay: 300 }, 5, 300],
    [{ retry_delay: 300_000 }, 1, LONGEST_RETRY_DELAY],
    [{ retry_delay: 10, retry_backoff: { factor: 2, max: 15 } }, 4, 15],
    [{ retry_delay: 10, retry_backoff: { factor: 100 } }, 1_000, LONGEST_RETRY_DELAY],
    [{ retry_delay: 0, retry_backoff: { factor: 2 } }, 3, 0],
  ];
  it.each(nominal)("%j after try %i: %i s", (policy, tried, expected) => {
    expect(retryDelay(policy, "d t r -1", tried)).toBe(expected);
  });

  it("lies in [1, 2) of the nominal delay, the same each time it is asked", () => {
    const seed = fc.string({ maxLength: 40 });
    const delays = fc.record({ delay: fc.integer({ min: 1, max: 60 }), factor: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(seed, delays, fc.integer({ min: 1, max: 6 }), (name, { delay, factor }, tried) => {
        const policy = { retry_delay: delay, retry_backoff: { factor } };
        const found = retryDelay(policy, name, tried);
        expect(found).toBeGreaterThanOrEqual(delay * factor ** (tried - 1));
        expect(found).toBeLessThan(2 * delay * factor ** (tried - 1));
        expect(retryDelay(policy, name, tried)).toBe(found);
      }),
    );
  });

  it.each([
    ["the instances of a map", (index: number) => `d t r ${index}`],
    ["the runs of a DAG", (index: number) => `d t r${index} -1`],
  ])("spreads %s evenly", (_, seedOf) => {
    const policy = { retry_delay: 10, retry_backoff: { factor: 2 } };
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 1_000; index += 1) {
      const tenth = Math.floor(retryDelay(policy, seedOf(index), 1) - 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(50);
    expect(Math.max(...tenths)).toBeLessThan(200);
  });
});
