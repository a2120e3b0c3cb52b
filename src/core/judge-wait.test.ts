import { describe, expect, it } from "vitest";
import { judgeAnswer, judgeWait, pokeInterval, type Poke, type WaitFacts } from "./judge-wait.ts";
import type { Json } from "./json.ts";
import type { WaitOperator } from "./operator.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const before = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);
const after = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

const judge = (operator: object, facts: Partial<WaitFacts> = {}) => {
  const known = {
    began_at: NOW,
    first_look_at: NOW,
    looks: 1,
    inputs: {},
    target: null,
    refused: null,
    poke: null,
    event: null,
  };
  // Each case is of one member of the union.
  const complete = { timeout: null, soft_fail: false, ...operator } as WaitOperator;
  const verdict = judgeWait(complete, { ...known, ...facts }, NOW);
  return verdict.kind === "wait" ? verdict.due_at : verdict.outcome.kind;
};
const sensor = { type: "sensor", every: 30, backoff: false };
const returned = (value: Json): Poke => ({ kind: "returned", value });
const failed: Poke = { kind: "failed", outcome: { kind: "task_failed", reason: "x", exit_code: null, error: null } };
const target = (state: string | null) => ({ target: { dag_run_id: "r", state } });
const external = {
  type: "external_task",
  dag_id: "o",
  task_id: null,
  every: 30,
  succeeds: ["success"],
  fails: ["failed"],
};

describe("a look", () => {
  it.each<[string, object, Partial<WaitFacts>, Date | null | string]>([
    ["until later", { type: "wait_until" }, { inputs: { until: after(5).toISOString() } }, after(5)],
    ["until now", { type: "wait_until" }, { inputs: { until: NOW.toISOString() } }, "success"],
    ["until before", { type: "wait_until" }, { inputs: { until: "2026-03-01T11:00:00+00:00" } }, "success"],
    ["until nonsense", { type: "wait_until" }, { inputs: { until: "soon" } }, "task_failed"],
    ["until nothing", { type: "wait_until" }, { inputs: { until: null } }, "task_failed"],
    ["for a time", { type: "wait_for", seconds: 60 }, { began_at: before(50) }, after(10)],
    ["for a time that is over", { type: "wait_for", seconds: 60 }, { began_at: before(60) }, "success"],
    ["for an event", { type: "event", schema: null }, {}, null],
    [
      "for an event that had come",
      { type: "event", schema: null },
      { event: { payload: { id: 1 }, delivered_at: before(9) } },
      "success",
    ],
    ["for an event, with a timeout", { type: "event", schema: null, timeout: 60 }, {}, after(60)],
    [
      "for an event that did not come",
      { type: "event", schema: null, timeout: 60 },
      { first_look_at: before(60) },
      "timed_out",
    ],
    ["softly", { type: "event", schema: null, timeout: 60, soft_fail: true }, { first_look_at: before(61) }, "skipped"],
    ["triggered, not waiting", { type: "trigger_dag", dag_id: "o", wait: false }, target("queued"), "success"],
    ["triggered, running", { type: "trigger_dag", dag_id: "o", wait: true }, target("running"), after(60)],
    ["triggered, success", { type: "trigger_dag", dag_id: "o", wait: true }, target("success"), "success"],
    ["triggered, failed", { type: "trigger_dag", dag_id: "o", wait: true }, target("failed"), "task_failed"],
    ["not to be triggered", { type: "trigger_dag", dag_id: "o", wait: true }, { refused: "no DAG" }, "task_failed"],
    ["external, none", external, { inputs: { run_id: "r" } }, after(30)],
    ["external, no state", external, { inputs: { run_id: "r" }, ...target(null) }, after(30)],
    ["external, running", external, { inputs: { run_id: "r" }, ...target("running") }, after(30)],
    ["external, success", external, { inputs: { run_id: "r" }, ...target("success") }, "success"],
    ["external, failed", external, { inputs: { logical_date: "x" }, ...target("failed") }, "task_failed"],
    ["external, of what", external, { inputs: { run_id: null } }, "task_failed"],
    ["poke: not yet", sensor, { poke: returned(false) }, after(30)],
    ["poke: not yet, as object", sensor, { poke: returned({ done: false }) }, after(30)],
    ["poke: yes", sensor, { poke: returned(true) }, "success"],
    ["poke: yes, with a value", sensor, { poke: returned({ done: true, value: 3 }) }, "success"],
    ["poke: nonsense", sensor, { poke: returned("yes") }, "task_failed"],
    ["poke: threw", sensor, { poke: failed }, "task_failed"],
    ["poke: threw, softly", { ...sensor, soft_fail: true }, { poke: failed }, "skipped"],
    ["poke: not called", sensor, { poke: { kind: "not_called", reason: "no memory" } }, after(30)],
    [
      "poke: the last one says yes",
      { ...sensor, timeout: 60 },
      { poke: returned(true), first_look_at: before(99) },
      "success",
    ],
    ["poke: too late", { ...sensor, timeout: 60 }, { poke: returned(false), first_look_at: before(60) }, "timed_out"],
    [
      "poke: the timeout comes first",
      { ...sensor, timeout: 60 },
      { poke: returned(false), first_look_at: before(50) },
      after(10),
    ],
  ])("%s", (_, operator, facts, expected) => {
    expect(judge(operator, facts)).toEqual(expected);
  });

  it("that gives up never asks for another try", () => {
    const operator: WaitOperator = { type: "event", schema: null, timeout: 1, soft_fail: false };
    const facts = {
      began_at: NOW,
      first_look_at: before(1),
      looks: 1,
      inputs: {},
      target: null,
      refused: null,
      poke: null,
      event: null,
    };
    expect(judgeWait(operator, facts, NOW)).toMatchObject({ kind: "end", outcome: { retryable: false } });
  });
});

it.each([
  [false, 5, 30],
  [true, 1, 30],
  [true, 3, 120],
  [true, 50, 3_600],
])("pokes with backoff %s wait after poke %i for %i s", (backoff, looks, seconds) => {
  expect(pokeInterval({ every: 30, backoff }, looks)).toBe(seconds);
  expect(pokeInterval({ every: 7_200, backoff }, looks)).toBe(7_200);
});

describe("an approval", () => {
  const operator: WaitOperator & { type: "approval" } = {
    type: "approval",
    subject: "Ship it?",
    options: ["ship", "hold"],
    rejects: ["hold"],
    default: "ship",
    timeout: 60,
    soft_fail: false,
  };

  it("is skipped by an answer that rejects, and keeps who answered", () => {
    const answer = { option: "ship", user: "ann", note: "fine" };
    expect(judgeAnswer(operator, answer)).toMatchObject({ outcome: { kind: "success" }, result: answer });
    expect(judgeAnswer(operator, { ...answer, option: "hold" }).outcome).toMatchObject({
      kind: "skipped",
      reason: 'answered "hold" by ann (fine)',
    });
  });

  it("takes its default when nobody answers", () => {
    expect(judge(operator, { first_look_at: before(60) })).toBe("success");
    expect(judge({ ...operator, default: "hold" }, { first_look_at: before(60) })).toBe("skipped");
    expect(judge({ ...operator, default: null }, { first_look_at: before(60) })).toBe("timed_out");
  });
});
