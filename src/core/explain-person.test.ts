import { expect, test } from "vitest";
import { explainInstance } from "./explain.ts";
import { ATTEMPT, at, NOW, makeSituation } from "./situation-fixture.ts";

const ended = { ...ATTEMPT, state: "finished" as const, outcome: "task_failed" as const, finished_at: at(-5) };

test.each([
  ["success", "marked success by ada", "success", /"load" counts as success: marked success by ada/],
  ["skipped", "marked skipped by ada", "skipped", /"load" counts as skipped: marked skipped by ada/],
  ["failed", "marked failed by ada", "failed", /"load" failed: marked failed by ada/],
  ["failed", "cancelled by ada", "cancelled", /"load" failed: cancelled by ada/],
  ["success", "taken over from run r1 by ada", "success", /taken over from run r1 by ada/],
  ["restarting", "cleared by ada", "restarting", /waits for its old attempt to end: cleared by ada/],
] as const)("%s, %s", (state, reason, cause, sentence) => {
  const explanation = explainInstance(makeSituation({ instance: { state, reason }, attempt: ended }), NOW);
  expect(explanation.cause).toBe(cause);
  expect(explanation.sentence).toMatch(sentence);
});
