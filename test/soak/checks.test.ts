// The soak's own rules: each is shown what it must find.

import { describe, expect, it } from "vitest";
import { checkOutcome } from "./checks.ts";
import type { LedgerEntry } from "./ledger.ts";
import { checkMemory, measureGrowth } from "./memory.ts";
import { createRandom } from "./random.ts";
import type { AttemptRow, State } from "./state.ts";
import { type PlannedRun, planRuns } from "./workload.ts";

const RUN: PlannedRun = { dag_id: "soak_long", run_id: "r", conf: {}, attempts: 3 };
const TASKS = ["left", "right", "join"];

const attemptOf = (task_id: string, more: Partial<AttemptRow> = {}): AttemptRow => ({
  run_id: "r",
  task_id,
  epoch: 1,
  try_number: 1,
  state: "finished",
  outcome: "success",
  outcome_reason: null,
  pod_name: `${task_id}-1`,
  pod_uid: "u",
  queued_at: new Date(0),
  launched_at: null,
  started_at: null,
  finished_at: new Date(0),
  pod_gone_at: null,
  cleaned_at: new Date(0),
  ...more,
});

const healthy = (): State => ({
  runs: [{ dag_id: "soak_long", run_id: "r", state: "success" }],
  instances: TASKS.map((task_id) => ({
    run_id: "r",
    task_id,
    state: "success",
    try_number: 1,
    infrastructure_failures: 0,
    reason: null,
    result: { worker: `${task_id}-1/1` },
  })),
  attempts: TASKS.map((task_id) => attemptOf(task_id)),
});

const say = (event: "begin" | "throw" | "end", task_id: string, worker = `${task_id}-1/1`): LedgerEntry => ({
  event,
  worker,
  run_id: "r",
  task_id,
  try_number: 1,
  at: 0,
});
const exit = (worker: string, accepted: boolean): LedgerEntry => ({ event: "exit", worker, code: 0, accepted, at: 0 });
const worked = (task: string) => [say("begin", task), say("end", task), exit(`${task}-1/1`, true)];
const all = TASKS.flatMap(worked);

const rulesOf = (state: State, entries: readonly LedgerEntry[]) =>
  checkOutcome([RUN], state, entries).map(({ rule, subject }) => `${rule} ${subject}`);

describe("the checks", () => {
  it("find nothing where all is well", () => expect(rulesOf(healthy(), all)).toEqual([]));

  it("find a run and a task that did not get there", () => {
    const state = healthy();
    Object.assign(state.runs[0] ?? {}, { state: "running" });
    Object.assign(state.instances[0] ?? {}, { state: "queued" });
    expect(rulesOf(state, all)).toEqual(["lost r", "lost r/left"]);
  });

  it("find a task that is called a success and never ended", () =>
    expect(rulesOf(healthy(), [...worked("left"), ...worked("right"), say("begin", "join")])).toContain("lost r/join"));

  it("find two processes at once, but not one after the other has gone", () => {
    const second = [say("begin", "left", "left-2/1"), ...worked("right"), ...worked("join"), say("end", "left")];
    expect(rulesOf(healthy(), [say("begin", "left"), ...second])).toEqual(["overlap r/left"]);
    expect(rulesOf(healthy(), [say("begin", "left"), exit("left-1/1", false), ...second])).toEqual([]);
  });

  it("find a process after a success that was taken note of, and a second one in a pod", () => {
    expect(rulesOf(healthy(), [...all, say("begin", "left", "left-2/1")])).toEqual(["repeated r/left"]);
    const again = [say("begin", "left", "left-1/2"), ...["left", "right", "join"].map((task) => say("end", task))];
    expect(rulesOf(healthy(), [say("begin", "left"), exit("left-1/1", false), ...again])).toEqual(["repeated r/left"]);
  });

  it("find an attempt after a success, one that is open, and one that left something", () => {
    const state = healthy();
    state.attempts.push(attemptOf("left", { epoch: 2, outcome: null, state: "running" }));
    state.attempts.push(attemptOf("right", { epoch: 2, outcome: "lost", cleaned_at: null }));
    expect(rulesOf(state, all)).toEqual(["lost r/left", "repeated r/left", "leftover r/right", "repeated r/right"]);
  });

  it("find a retry that the task did not ask for", () => {
    const state = healthy();
    state.attempts.unshift(attemptOf("left", { epoch: 0, outcome: "task_failed", pod_name: "left-0" }));
    Object.assign(state.instances[0] ?? {}, { try_number: 2 });
    expect(rulesOf(state, all)).toEqual(["retries r/left", "retries r/left"]);
    const asked = [say("begin", "left", "left-0/1"), say("throw", "left", "left-0/1"), ...all];
    expect(rulesOf(state, asked)).toEqual(["retries r/left"]);
  });

  it("find a result of a process that never ended", () => {
    const state = healthy();
    Object.assign(state.instances[0] ?? {}, { result: { worker: "left-9/9" } });
    expect(rulesOf(state, all)).toEqual(["wrong_result r/left"]);
  });

  it("find memory that grows, not memory that is high", () => {
    const samples = (grow: number) => Array.from({ length: 200 }, (_, n) => ({ at: n * 1_000, mb: 200 + n * grow }));
    const growths = measureGrowth(
      new Map([
        ["a #1", samples(1)],
        ["b #1", samples(0)],
        ["c #1", samples(1).slice(0, 60)],
      ]),
    );
    expect(growths.map(({ name }) => name)).toEqual(["a #1", "b #1"]);
    expect(checkMemory(growths).map(({ subject }) => subject)).toEqual(["a #1"]);
  });
});

it("draws the same numbers and runs from the same seed", () => {
  const draw = (seed: string) => planRuns(createRandom(seed).fork("runs"), 200, "http://ledger", 10_000);
  expect(draw("1")).toEqual(draw("1"));
  expect(draw("1")).not.toEqual(draw("2"));
  expect(draw("1").reduce((sum, { attempts }) => sum + attempts, 0)).toBeGreaterThanOrEqual(200);
});
