// Callbacks in runs of tests: which are called when, with what, and that they change nothing.

import { callback, type CallbackContext, dag, sensor, skip, task } from "windlass";
import { type CallbackReplacement, evict, fail, runDag, stub, takes, type TestedCallback } from "windlass/testing";
import { expect, expectTypeOf, test } from "vitest";

const none = () => {};
const every = { onSuccess: none, onFailure: none, onRetry: none, onSkip: none };
const load = task("load", { ...every, retries: 1, retryDelay: "5m" }, ({ n }: { n: number }) => n);
const after = task("after", every, () => {});
const sales = dag("sales", { onSuccess: none, onFailure: none, deadline: { after: "1h", callback: none } }, () =>
  load({ n: 1 }).before(after()),
);

const brief = ({ task_id, event, try_number, state, called_at }: TestedCallback) =>
  [task_id ?? "run", event, try_number, state, called_at].join(" ");

test.for([
  ["a success", [], ["load success 1 success 0", "after success 1 success 0", "run success   0"]],
  [
    "a retry, after which the run succeeds",
    [fail(load)],
    ["load retry 1 up_for_retry 0", "load success 2 success 300", "after success 1 success 300", "run success   300"],
  ],
  [
    "a failure, whose downstream hears nothing",
    [fail(load, [1, 2])],
    ["load retry 1 up_for_retry 0", "load failure 2 failed 300", "run failure   300"],
  ],
  [
    "a skip by the task's own code",
    [fail(load, 1, { error: skip("no news") })],
    ["load skip 1 skipped 0", "run success   0"],
  ],
  [
    "faults of the cluster, of which only the last is one of the task",
    [evict(load, [1, 2, 3, 4])],
    ["load failure 1 failed 31", "run failure   31"],
  ],
  [
    "a deadline that is missed as the run ends, which is too late",
    [takes(load, "1h")],
    ["load success 1 success 3600", "after success 1 success 3600", "run deadline   3600", "run success   3600"],
  ],
] as const)("%s", async ([, arrangements, expected]) => {
  const run = await runDag(sales, { with: arrangements });
  expect(run.callbacks.map(brief).toSorted()).toEqual([...expected].toSorted());
  expect(run.callbacks.map(({ called_at }) => called_at)).toEqual(
    run.callbacks.map(({ called_at }) => called_at).toSorted((a, b) => a - b),
  );
});

test("a deadline is told while the run goes on", async () => {
  const run = await runDag(sales, { with: [takes(load, "3h")] });
  expect(run.callbacks[0]).toMatchObject({
    event: "deadline",
    called_at: 3_600,
    run_state: "running",
    reason: "the run did not end within 3600 s of queued",
  });
  expect(run.seconds).toBe(10_800);
});

test("waits, instances of maps, and a run over its timeout", async () => {
  const look = sensor("look", { ...every, every: "1m", timeout: "2m", softFail: true }, () => false);
  const square = task("square", { onSuccess: none, onFailure: none }, ({ n }: { n: number }) => n * n);
  const slow = task("slow", every, () => {});
  const mixed = dag("mixed", { onFailure: none, runTimeout: "1h" }, () => {
    look();
    square.map({ n: [1, 2] });
    slow();
  });
  const run = await runDag(mixed, { with: [takes(slow, "2h"), fail(square, 1, { mapIndex: 1 })] });
  expect(run.callbacks.map(({ event, task_id, map_index }) => [event, task_id, map_index])).toEqual([
    ["failure", "square", 1],
    ["success", "square", 0],
    ["skip", "look", -1],
    ["failure", null, null],
  ]);
  expect(run.callbacks.at(-1)).toMatchObject({ reason: run.reason, run_state: "failed", called_at: 3_600 });
});

test("a callback is told what happened, given what it declares, and one that throws changes nothing", async () => {
  const told: unknown[] = [];
  const page = callback(
    { variables: ["key"], connections: ["chat"] },
    (context, { variables, connections, signal }) => {
      told.push([context, variables, connections.chat.host, signal.aborted]);
      throw new TypeError("no network");
    },
  );
  const paged = task("paged", { onFailure: page }, () => {
    throw new Error("boom");
  });
  const noisy = dag("noisy", { onFailure: async ({ reason }) => told.push(reason) }, () => void paged());
  const at = "2026-03-01T06:00:00.000Z";
  const given = { variables: { key: "k", other: "o" }, connections: { chat: { host: "h" } } };
  const run = await runDag(noisy, { ...given, at });
  const context = {
    event: "failure",
    reason: expect.stringContaining("Error: boom"),
    dag_id: "noisy",
    run_id: `test__${at}`,
    run_type: "manual",
    run_state: "running",
    logical_date: at,
    data_interval_start: at,
    data_interval_end: at,
    run_after: at,
    params: {},
    task_id: "paged",
    map_index: -1,
    try_number: 1,
    state: "failed",
  };
  expect(told).toEqual([[context, { key: "k" }, "h", false], "failed because of paged"]);
  expect(run.state).toBe("failed");
  expect(run.callbacks.map(({ error }) => error)).toEqual([expect.stringContaining("TypeError: no network"), null]);
  expect((await runDag(noisy)).callbacks[0]?.error).toContain("give it to runDag as variables or connections");
});

test("callbacks are replaced, also by none", async () => {
  const calls: string[] = [];
  const loud = dag("loud", { onSuccess: () => calls.push("own") }, () => void load({ n: 1 }));
  const replaced: CallbackReplacement = async (context, call) => {
    expectTypeOf(context).toEqualTypeOf<CallbackContext>();
    calls.push(`${context.task_id} ${context.event}`);
    if (context.task_id === null) await call();
  };
  const run = await runDag(loud, { callbacks: replaced, with: [stub(load, 2)] });
  expect(calls).toEqual(["load success", "null success", "own"]);
  expect(run.callbacks).toHaveLength(2);
  const quiet = await runDag(loud, { callbacks: () => {} });
  expect([quiet.callbacks.length, calls.length]).toEqual([2, 3]);
  // An assertion in a replacement is the test's own.
  const wrong = runDag(loud, { callbacks: () => expect(1).toBe(2) });
  await expect(wrong).rejects.toThrow("expected 1 to be 2");
});

test("a run waits for its callbacks, on a clock that stands still", async () => {
  const ended: string[] = [];
  const slowly = async ({ task_id }: CallbackContext) => {
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    ended.push(task_id ?? "run");
  };
  const first = task("first", { onSuccess: slowly }, () => {});
  const told = dag("told", { onSuccess: slowly }, () => first().before(after()));
  const run = await runDag(told, { with: [takes(after, "1h")] });
  expect(ended).toEqual(["first", "run"]);
  expect(run.callbacks.map(({ called_at }) => called_at)).toEqual([0, 3_600, 3_600]);
});
