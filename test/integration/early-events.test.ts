// Events that come before their task waits for them, on a real database and with the scheduler's own looks.

import { afterEach, beforeEach, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import type { Operator } from "../../src/core/operator.ts";
import { readEarlyEvent } from "../../src/store/early-events.ts";
import { answerWait } from "../../src/store/wait-answers.ts";
import { lookThrough } from "../support/deferred-looks.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const event = (id: string, upstream: string[] = [], more: Partial<TaskDefinition> = {}) =>
  taskOf(id, upstream, {
    kind: "wait",
    operator: { type: "event", schema: null, timeout: null, soft_fail: false },
    inputs: {},
    ...more,
  });

const ASK: Operator = {
  type: "approval",
  subject: "?",
  options: ["yes"],
  rejects: [],
  default: null,
  timeout: null,
  soft_fail: false,
};

const deliver = (run: { dag_run_id: string }, task_id: string, payload: Json, map_index = -1) =>
  answerWait(
    store.db,
    store.rules.versions,
    { dag_id: "d", dag_run_id: run.dag_run_id, task_id, map_index },
    "event",
    () => ({
      kind: "end",
      outcome: { kind: "success", reason: "its event was delivered", exit_code: null, error: null },
      result: payload,
    }),
    store.now(),
  );

async function instance(taskId: string) {
  const { rows } = await store.db.query<{ id: string; state: string; reason: string; value: Json }>({
    text: `select t.id, t.state, t.reason, r.value from task_instance t
      left join task_result r on r.task_instance_id = t.id where t.task_id = $1 order by t.run_id desc limit 1`,
    values: [taskId],
  });
  const row = rows[0];
  if (!row) throw new Error(`there is no ${taskId}`);
  return row;
}

it("is kept, once, and ends the wait as soon as it begins", async () => {
  await store.save(dagOf("d", [taskOf("a"), event("order", ["a"]), taskOf("after", ["order"])]));
  const run = await store.trigger("d");
  await store.settle();
  expect(await deliver(run, "order", { id: 1 })).toBe("kept");
  await expect(deliver(run, "order", { id: 2 })).rejects.toMatchObject({ code: "already_exists" });
  expect(await readEarlyEvent(store.db, (await instance("order")).id)).toEqual({
    payload: { id: 1 },
    delivered_at: store.now(),
  });
  store.pass(60);
  await store.workThrough();
  expect(await instance("order")).toMatchObject({ state: "deferred" });
  await lookThrough(store);
  expect(await instance("order")).toMatchObject({
    state: "success",
    reason: "its event had come at 2026-11-21T08:00:00Z",
    value: { id: 1 },
  });
  await store.workThrough();
  expect(await store.runState(run.id)).toBe("success");
  expect((await store.db.query({ text: "select from early_event" })).rowCount).toBe(0);
  await expect(deliver(run, "order", { id: 3 })).rejects.toMatchObject({ code: "not_waiting" });
});

it("is refused where nothing will wait for it", async () => {
  const tasks = [taskOf("a"), event("order", ["a"]), taskOf("ask", ["a"], { kind: "wait", operator: ASK, inputs: {} })];
  await store.save(dagOf("d", tasks));
  const run = await store.trigger("d");
  await store.settle();
  const approve = () =>
    answerWait(
      store.db,
      store.rules.versions,
      { dag_id: "d", dag_run_id: run.dag_run_id, task_id: "ask", map_index: -1 },
      "approval",
      () => ({ kind: "end", outcome: { kind: "success", reason: "", exit_code: null, error: null }, result: null }),
      store.now(),
    );
  await expect(approve()).rejects.toMatchObject({ code: "not_waiting" });
  await store.workThrough(() => ({ kind: "task_failed" }));
  expect(await instance("order")).toMatchObject({ state: "upstream_failed" });
  await expect(deliver(run, "order", {})).rejects.toMatchObject({
    code: "not_waiting",
    message: 'task "order" is upstream_failed, so it takes no answer now',
  });
});

it("is refused for a mapped group's task until it is known how many there are", async () => {
  const over = [{ name: "n", array: { kind: "value" as const, value: [1, 2] } }];
  const tasks = [
    taskOf("first"),
    taskOf("each", ["first"], { kind: "expand", map: { over } }),
    taskOf("each.a", [], { group: "each" }),
    event("each.order", ["each.a"], { group: "each" }),
  ];
  await store.save(dagOf("d", tasks, { groups: [{ group_id: "each" }] }));
  const run = await store.trigger("d");
  await store.settle();
  await expect(deliver(run, "each.order", {})).rejects.toMatchObject({ code: "not_waiting" });
  for (const { attempt_id } of await store.launch()) await store.finish(await store.start(attempt_id));
  await store.settle();
  expect(await deliver(run, "each.order", { of: 1 }, 1)).toBe("kept");
  await store.workThrough();
  await lookThrough(store);
  const { rows } = await store.db.query({
    text: "select map_index, state from task_instance where task_id = 'each.order' order by map_index",
  });
  expect(rows).toEqual([
    { map_index: 0, state: "deferred" },
    { map_index: 1, state: "success" },
  ]);
});

it("is never lost to a wait that begins at the same moment", async () => {
  await store.save(dagOf("d", [taskOf("a"), event("order", ["a"])]));
  for (let round = 0; round < 12; round += 1) {
    const run = await store.trigger("d");
    await store.settle();
    for (const { attempt_id } of await store.launch()) await store.finish(await store.start(attempt_id));
    await Promise.all([deliver(run, "order", { round }), store.settle()]);
    await lookThrough(store);
    expect(await instance("order")).toMatchObject({ state: "success", value: { round } });
  }
});

it("that finds the wait about to begin waits for it, and ends it", async () => {
  await store.save(dagOf("d", [taskOf("a"), event("order", ["a"])]));
  const run = await store.trigger("d");
  await store.settle();
  const { id } = await instance("order");
  const delivered: Promise<string>[] = [];
  await store.db.transaction(async (tx) => {
    await tx.query({ text: "update task_instance set state = 'deferred' where id = $1", values: [id] });
    await tx.query({
      text: "insert into deferral (task_instance_id, kind, began_at, looks, due_at) values ($1, 'event', $2, 0, $2)",
      values: [id, store.now()],
    });
    delivered.push(deliver(run, "order", { id: 1 }));
    const blocked = `select count(*)::integer as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    for (let count = 0; count === 0;) {
      const { rows } = await store.db.query<{ count: number }>({ text: blocked });
      count = rows[0]?.count ?? 0;
    }
  });
  expect(await Promise.all(delivered)).toEqual(["ended"]);
  expect(await instance("order")).toMatchObject({ state: "success", value: { id: 1 } });
  expect((await store.db.query({ text: "select from early_event" })).rowCount).toBe(0);
});
