// Tasks that wait without a pod, and the limits that hold for them: the run before, and pools that count what is deferred.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import type { Operator } from "../../src/core/operator.ts";
import { readPool } from "../../src/store/pools.ts";
import { readTaskInstance } from "../../src/store/read-task-instances.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { lookThrough } from "../support/deferred-looks.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const LIMITS = { timeout: null, soft_fail: false };
const aMinute: Operator = { type: "wait_for", seconds: 60, ...LIMITS };
const wait = (id: string, operator: Operator, more: Partial<TaskDefinition> = {}) =>
  taskOf(id, [], { kind: "wait", operator, inputs: {}, ...more });

const date = (day: number) => `2026-11-0${day}T00:00:00Z`;

async function trigger(dagId: string, name: string, logicalDate: string | null = null): Promise<number> {
  const run = { dag_id: dagId, dag_run_id: name, logical_date: logicalDate, run_after: null, conf: {}, params: {} };
  const who = { note: null, triggered_by: "test" as const, user: null };
  return (await createManualRun(store.db, { ...run, ...who }, store.now())).id;
}

const instance = (run: string, taskId: string) =>
  readTaskInstance(store.db, { dag_id: "d", dag_run_id: run, task_id: taskId, map_index: -1 });

const setPool = (slots: number, includeDeferred: boolean) =>
  store.db.query({
    text: `insert into slot_pool (name, slots, include_deferred) values ('db', $1, $2)
      on conflict (name) do update set slots = excluded.slots, include_deferred = excluded.include_deferred`,
    values: [slots, includeDeferred],
  });

describe("the run before a wait", () => {
  it("has to have succeeded before it triggers anything", async () => {
    const call: Operator = { type: "trigger_dag", dag_id: "other", wait: true, ...LIMITS };
    await store.save(dagOf("other", [taskOf("work")]), "other");
    await store.save(dagOf("d", [wait("call", call, { depends_on_past: true })]), "d");
    await trigger("d", "first", date(1));
    await trigger("d", "second", date(2));
    const triggered = async () =>
      (await store.db.query({ text: "select from dag_run where dag_id = 'other'" })).rowCount;
    await lookThrough(store);
    expect(await triggered()).toBe(1);
    expect(await instance("first", "call")).toMatchObject({ state: "deferred" });
    expect(await instance("second", "call")).toMatchObject({
      state: "scheduled",
      try_number: 0,
      reason: 'waits for task "call" of the run before, "first", to succeed or be skipped (depends_on_past)',
    });
    await store.workThrough();
    await lookThrough(store);
    expect(await instance("first", "call")).toMatchObject({ state: "success" });
    expect(await instance("second", "call")).toMatchObject({ state: "deferred", try_number: 1 });
    expect(await triggered()).toBe(2);
  });

  it("has to have succeeded downstream, with wait_for_downstream; a time is counted from when its turn came", async () => {
    await store.save(dagOf("d", [wait("pause", aMinute, { wait_for_downstream: true }), taskOf("after", ["pause"])]));
    await trigger("d", "first", date(1));
    await trigger("d", "second", date(2));
    await lookThrough(store);
    store.pass(60);
    await lookThrough(store);
    expect(await instance("first", "pause")).toMatchObject({ state: "success" });
    expect(await instance("second", "pause")).toMatchObject({
      state: "scheduled",
      reason: 'waits for task "after" of the run before, "first", to succeed or be skipped (wait_for_downstream)',
    });
    await store.workThrough();
    await lookThrough(store);
    expect(await instance("second", "pause")).toMatchObject({
      state: "deferred",
      reason: "waits until 2026-11-21T08:02:00Z",
    });
  });

  it("holds for ever while it has failed, and a run without a logical date has none", async () => {
    await store.save(dagOf("d", [wait("pause", aMinute, { depends_on_past: true })]));
    const first = await trigger("d", "first", date(1));
    await trigger("d", "second", date(2));
    await trigger("d", "without date");
    await lookThrough(store);
    expect((await instance("without date", "pause"))?.state).toBe("deferred");
    const end = (state: string) =>
      store.db.query({
        text: "update task_instance set state = $2, counted = false, end_date = now() where run_id = $1",
        values: [first, state],
      });
    await end("failed");
    await lookThrough(store);
    expect((await instance("second", "pause"))?.state).toBe("scheduled");
    await end("success");
    await lookThrough(store);
    expect((await instance("second", "pause"))?.state).toBe("deferred");
  });
});

describe("the pool of a wait", () => {
  const inPool = (priority: number) => ({ pool: "db", priority_weight: priority });
  const define = () =>
    store.save(
      dagOf("d", [
        wait("low", aMinute, inPool(1)),
        wait("high", aMinute, inPool(9)),
        taskOf("task", [], inPool(5)),
        wait("elsewhere", aMinute),
      ]),
    );
  const states = async (run: number) => {
    await lookThrough(store);
    return store.states(run);
  };

  it.each([
    [
      "counts it where it includes deferred tasks, in the order of priority",
      true,
      { high: "deferred", task: "scheduled", low: "scheduled", elsewhere: "deferred" },
      { deferred: 1, queued: 0 },
    ],
    [
      "counts none where it does not",
      false,
      { high: "deferred", task: "queued", low: "deferred", elsewhere: "deferred" },
      { deferred: 2, queued: 1 },
    ],
  ])("%s", async (_, includeDeferred, expected, slots) => {
    await setPool(1, includeDeferred);
    await define();
    const run = await trigger("d", "r");
    expect(await states(run)).toEqual(expected);
    expect(await readPool(store.db, "db")).toMatchObject(slots);
  });

  it("holds it back until a slot is free, and says so", async () => {
    await setPool(1, true);
    await define();
    const run = await trigger("d", "r");
    await lookThrough(store);
    const reason = 'waits for a slot: 1 of the 1 slots of pool "db" are in use';
    expect(await instance("r", "low")).toMatchObject({ state: "scheduled", try_number: 0, reason });
    store.pass(60);
    expect(await states(run)).toMatchObject({ high: "success", task: "queued", low: "scheduled" });
    expect((await instance("r", "low"))?.reason).toBe(`${reason} (by "task" of run "r")`);
    await store.workThrough();
    expect(await states(run)).toMatchObject({ task: "success", low: "deferred" });
    // It keeps its slot from look to look and from try to try.
    store.pass(30);
    expect(await states(run)).toMatchObject({ low: "deferred" });
    expect((await readPool(store.db, "db")).deferred).toBe(1);
  });

  it("lets it go when it is enlarged, or stops to include what is deferred", async () => {
    await setPool(0, true);
    await define();
    const run = await trigger("d", "r");
    expect(await states(run)).toMatchObject({ high: "scheduled", low: "scheduled", elsewhere: "deferred" });
    await setPool(1, true);
    expect(await states(run)).toMatchObject({ high: "deferred", low: "scheduled" });
    await setPool(1, false);
    expect(await states(run)).toMatchObject({ high: "deferred", low: "deferred", task: "queued" });
  });

  it("is all that limits it", async () => {
    await store.save(
      dagOf("d", [wait("one", aMinute), wait("two", aMinute), taskOf("a"), taskOf("b")], { max_active_tasks: 1 }),
    );
    const run = await trigger("d", "r");
    const { one, two, ...tasks } = await states(run);
    expect([one, two]).toEqual(["deferred", "deferred"]);
    expect(new Set(Object.values(tasks))).toEqual(new Set(["queued", "scheduled"]));
  });
});
