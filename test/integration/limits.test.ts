// Limits as the scheduler keeps them: who is queued, who waits and what is said of it.

import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DagDefinition } from "../../src/core/definition.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { observePools } from "../../src/cli/pool-metrics.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { claimAttempts } from "../../src/store/attempt-launch.ts";
import { readPool, readPools } from "../../src/store/pools.ts";
import { readTaskInstance } from "../../src/store/read-task-instances.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const setPool = (name: string, slots: number) =>
  store.db.query({
    text: `insert into slot_pool (name, slots, include_deferred) values ($1, $2, false)
      on conflict (name) do update set slots = excluded.slots`,
    values: [name, slots],
  });

const trigger = (dagId: string, name: string, params: JsonObject = {}, logicalDate: string | null = null) =>
  createManualRun(
    store.db,
    {
      dag_id: dagId,
      dag_run_id: name,
      logical_date: logicalDate,
      run_after: null,
      conf: params,
      params,
      note: null,
      triggered_by: "test",
      user: null,
    },
    store.now(),
  );

const reasonOf = async (dagId: string, run: string, taskId: string) =>
  (await readTaskInstance(store.db, { dag_id: dagId, dag_run_id: run, task_id: taskId, map_index: -1 }))?.reason;

const launched = async () => (await store.launch()).map(({ task_id }) => task_id);

/** Launches, starts and finishes whatever is queued now, and settles. */
async function workOff(): Promise<string[]> {
  const attempts = await store.launch();
  for (const { attempt_id } of attempts) await store.finish(await store.start(attempt_id));
  await store.settle();
  return attempts.map(({ task_id }) => task_id);
}

describe("pools", () => {
  it("are shared by all DAGs, and name who holds the slots", async () => {
    await setPool("db", 3);
    await store.save(dagOf("one", [taskOf("a", [], { pool: "db", pool_slots: 2 })]), "1");
    await store.save(dagOf("two", [taskOf("b", [], { pool: "db", pool_slots: 2 }), taskOf("c")]), "2");
    await trigger("one", "r1");
    await store.settle();
    await trigger("two", "r2");
    await store.settle();
    expect((await launched()).toSorted()).toEqual(["a", "c"]);
    expect(await reasonOf("two", "r2", "b")).toBe(
      'waits for a slot: 2 of the 3 slots of pool "db" are in use, and it takes 2 (by "a" of run "r1")',
    );
  });

  it.each([
    ["nowhere", 1, 'waits for a slot: there is no pool "nowhere"; create it by "windlass pools set nowhere 1"'],
    [
      "small",
      5,
      'waits for a slot: it takes 5 slots and pool "small" has 2; enlarge it by "windlass pools set small 5"',
    ],
  ])("that cannot serve say so: %s, %i slots", async (pool, pool_slots, reason) => {
    await setPool("small", 2);
    await store.save(dagOf("d", [taskOf("a", [], { pool, pool_slots }), taskOf("b")]));
    await trigger("d", "r");
    await store.settle();
    expect(await launched()).toEqual(["b"]);
    expect(await reasonOf("d", "r", "a")).toBe(reason);
    await setPool(pool, 5);
    await store.settle();
    expect(await launched()).toEqual(["a"]);
  });
});

describe("the slots of pools", () => {
  it("are counted by state, for people and for Prometheus", async () => {
    await setPool("db", 5);
    const tasks = ["a", "b", "c"].map((id) => taskOf(id, [], { pool: "db", pool_slots: 2 }));
    await store.save(dagOf("d", tasks));
    await trigger("d", "r");
    await store.settle();
    const [attempt] = await store.launch();
    await store.start(attempt?.attempt_id ?? "");
    expect(await readPool(store.db, "db")).toMatchObject({ queued: 2, running: 2, scheduled: 2, deferred: 0 });
    await store.db.query({ text: "update task_instance set state = 'deferred' where state = 'queued'" });
    expect(await readPool(store.db, "db")).toMatchObject({ queued: 0, running: 2, scheduled: 2, deferred: 2 });
    const registry = new Registry();
    let asked = 0;
    const read = () => {
      asked += 1;
      return readPools(store.db);
    };
    observePools(registry, read, createLogger("silent"));
    const text = await registry.metrics();
    expect(asked).toBe(1);
    expect(text).toContain('windlass_pool_open_slots{pool="db"} 3');
    expect(text).toContain('windlass_pool_scheduled_slots{pool="db"} 2');
    expect(text).toContain('windlass_pool_running_slots{pool="default_pool"} 0');
  });

  it("are kept by deferred tasks where the pool says so", async () => {
    await setPool("db", 1);
    await store.save(dagOf("d", [taskOf("a", [], { pool: "db" }), taskOf("b", [], { pool: "db" })]));
    await trigger("d", "r");
    await store.settle();
    await store.db.query({ text: "update slot_pool set include_deferred = true where name = 'db'" });
    await store.db.query({ text: "update task_instance set state = 'deferred' where state = 'queued'" });
    await store.settle();
    expect((await readPool(store.db, "db")).queued).toBe(0);
    await store.db.query({ text: "update slot_pool set include_deferred = false where name = 'db'" });
    await store.settle();
    expect((await readPool(store.db, "db")).queued).toBe(1);
  });
});

describe("order", () => {
  it("is priority, then logical date, and a blocked task of any priority is passed", async () => {
    await setPool("one", 1);
    await setPool("full", 0);
    const definition = dagOf("d", [
      taskOf("low", [], { pool: "one" }),
      taskOf("high", [], { pool: "one", priority_weight: 10 }),
      taskOf("blocked", [], { pool: "full", priority_weight: 1_000 }),
    ]);
    await store.save(definition);
    await trigger("d", "later", {}, "2026-11-20T00:00:00Z");
    await trigger("d", "earlier", {}, "2026-11-19T00:00:00Z");
    await store.settle();
    const order: string[] = [];
    for (;;) {
      const attempts = await store.launch();
      const [attempt] = attempts;
      if (!attempt) break;
      expect(attempts).toHaveLength(1);
      const started = await store.start(attempt.attempt_id);
      order.push(`${started.context.task_id} ${started.context.run_id}`);
      await store.finish(started);
      await store.settle();
    }
    expect(order).toEqual(["high earlier", "high later", "low earlier", "low later"]);
  });

  it("is also that of the launches, where the cluster takes them more slowly than they are queued", async () => {
    const weights = Array.from({ length: 20 }, (_, index) => (index * 7) % 20);
    const tasks = weights.map((weight) => taskOf(`w${weight}`, [], { priority_weight: weight }));
    await store.save(dagOf("d", tasks));
    await trigger("d", "r");
    await store.settle();
    const order: string[] = [];
    while (order.length < tasks.length) {
      const claim = { executor: "local", holder: "test", limit: 3, leaseMs: 60_000 };
      order.push(...(await claimAttempts(store.db, claim, store.now())).map(({ task_id }) => task_id));
    }
    expect(order).toEqual(tasks.map((_, index) => `w${tasks.length - 1 - index}`));
  });

  it("adds the weights of what follows", async () => {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b", ["a"]), taskOf("c", ["a", "b"])]));
    await trigger("d", "r");
    await store.settle();
    const key = { dag_id: "d", dag_run_id: "r", task_id: "a", map_index: -1 };
    expect(await readTaskInstance(store.db, key)).toMatchObject({
      priority_weight: 3,
      pool: "default_pool",
      pool_slots: 1,
    });
  });
});

describe("limits of a task and a DAG", () => {
  const cases: [string, Partial<DagDefinition>, number, RegExp][] = [
    [
      "max_active",
      { tasks: [taskOf("a", [], { max_active: 2 })] },
      2,
      /2 of task "a" are active in all runs, maxActive is 2/,
    ],
    [
      "max_active_tasks_per_dag",
      { max_active_tasks_per_dag: 3 },
      3,
      /3 tasks of this DAG are active, maxActiveTasksPerDag is 3/,
    ],
    [
      "concurrency",
      {
        tasks: [
          taskOf("a", [], {
            inputs: { who: { kind: "param", path: ["who"] } },
            concurrency: { path: ["who"], limit: 1 },
          }),
        ],
      },
      2,
      /1 of task "a" are active for "[xy]", the limit of its concurrency is 1/,
    ],
  ];
  it.each(cases)("%s", async (_, change, active, reason) => {
    await store.save(dagOf("d", [taskOf("a")], change));
    for (let index = 0; index < 5; index += 1) {
      await trigger("d", `r${index}`, { who: index % 2 === 0 ? "x" : "y" });
      store.pass(1);
    }
    await store.settle();
    expect(await store.launch()).toHaveLength(active);
    expect(await reasonOf("d", "r4", "a")).toMatch(reason);
  });

  it("starts one run per key at a time, whatever waits before it", async () => {
    const definition = dagOf("d", [taskOf("a")], {
      max_active_runs: 2,
      concurrency: { key: { kind: "param", path: ["customer"] }, limit: 1 },
    });
    await store.save(definition);
    const runs: { id: number }[] = [];
    for (const customer of ["x", "x", "x", "y", "z"]) {
      runs.push(await trigger("d", `${customer}${runs.length}`, { customer }));
      store.pass(1);
    }
    await store.settle();
    const states = async () => Promise.all(runs.map(({ id }) => store.runState(id)));
    expect(await states()).toEqual(["running", "queued", "queued", "running", "queued"]);
    const { rows } = await store.db.query({ text: "select reason from dag_run where state = 'queued' order by id" });
    const reason =
      'waits for others with the same key "x": run "x0" of this DAG, and the limit of its concurrency is 1';
    expect(rows).toEqual([{ reason }, { reason }, { reason: null }]);
    await workOff();
    await store.settle();
    expect(await states()).toEqual(["success", "running", "queued", "success", "running"]);
  });
});

describe("the run before", () => {
  const date = (day: number) => `2026-11-0${day}T00:00:00Z`;

  it("has to have succeeded in the same task", async () => {
    await store.save(dagOf("d", [taskOf("a", [], { depends_on_past: true }), taskOf("b", ["a"])]));
    await trigger("d", "first", {}, date(1));
    await trigger("d", "second", {}, date(2));
    await trigger("d", "without date");
    await store.settle();
    expect(await reasonOf("d", "second", "a")).toBe(
      'waits for task "a" of the run before, "first", to succeed or be skipped (depends_on_past)',
    );
    // The first of all and the one without a logical date have no past.
    expect(await workOff()).toEqual(["a", "a"]);
    expect((await workOff()).toSorted()).toEqual(["a", "b", "b"]);
  });

  it("holds for ever while it has failed, until it is made good", async () => {
    await store.save(dagOf("d", [taskOf("a", [], { depends_on_past: true })]));
    const first = await trigger("d", "first", {}, date(1));
    await trigger("d", "second", {}, date(2));
    await store.settle();
    const [attempt] = await store.launch();
    await store.finish(await store.start(attempt?.attempt_id ?? ""), "task_failed");
    await store.settle();
    expect(await launched()).toEqual([]);
    await store.db.query({
      text: "update task_instance set state = 'success' where run_id = $1",
      values: [first.id],
    });
    await store.settle();
    expect(await launched()).toEqual(["a"]);
  });

  it("has to have succeeded downstream, with wait_for_downstream", async () => {
    await store.save(
      dagOf("d", [taskOf("a", [], { wait_for_downstream: true }), taskOf("b", ["a"]), taskOf("c", ["b"])]),
    );
    await trigger("d", "first", {}, date(1));
    await trigger("d", "second", {}, date(2));
    await store.settle();
    expect(await workOff()).toEqual(["a"]);
    expect(await reasonOf("d", "second", "a")).toBe(
      'waits for task "b" of the run before, "first", to succeed or be skipped (wait_for_downstream)',
    );
    expect(await workOff()).toEqual(["b"]);
    expect((await workOff()).toSorted()).toEqual(["a", "c"]);
  });
});
