import { expect, test } from "vitest";
import { determineOutcome } from "./finish-outcome.ts";

const failed = (kind: "task_failed" | "timed_out" | "cancelled", message: string) =>
  determineOutcome(
    { state: "failed", kind, retryable: true, exit_code: null, error: { name: "E", message, stack: null } },
    null,
  );

test.each([
  [failed("task_failed", "no rows\nfor today"), "task_failed", "E: no rows"],
  [failed("timed_out", "it ran longer than 60 s"), "timed_out", "it ran longer than 60 s"],
  [failed("cancelled", ""), "cancelled", "E"],
  [determineOutcome({ state: "skipped", reason: "nothing new" }, null), "skipped", "nothing new"],
  [determineOutcome({ state: "success", result: 1 }, null), "success", "the task returned"],
])("%j is %s: %s", (outcome, kind, reason) => {
  expect(outcome).toMatchObject({ kind, reason });
});

test("a reason stays one short sentence", () => {
  expect(failed("task_failed", "x".repeat(10_000)).reason).toHaveLength(500);
});
