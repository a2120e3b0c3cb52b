// Random histories on a real database: what a pass of the queue chooses, out of what it keeps from pass to pass, is what a full
// scan of all that waits chooses, which counts everything anew and knows no lanes.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { DagDefinition, TaskDefinition } from "../../src/core/definition.ts";
import type { Parallelism } from "../../src/core/plan-queue.ts";
import { podName } from "../../src/core/pod-name.ts";
import { computePriorities } from "../../src/core/priority.ts";
import { indexDag } from "../../src/core/graph.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import { startQueuedRuns } from "../../src/store/run-start.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { listTaskInstances } from "../../src/store/read-task-instances.ts";
import { queueReadyTasks, returnDueRetries } from "../../src/store/task-queue.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

const CONTAINER = { image: "busybox", cmds: [], arguments: null, env: {}, get_logs: false, skip_on_exit_codes: [] };
const POOLS = ["narrow", "wide", "default_pool"];
const DAGS = ["d0", "d1"];

const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const small = fc.integer({ min: 1, max: 3 });
const anyTask = fc.record(
  {
    pool: fc.constantFrom("narrow", "wide", "unknown"),
    pool_slots: fc.integer({ min: 1, max: 2 }),
    priority_weight: fc.integer({ min: 0, max: 3 }),
    max_active: small,
    max_active_per_run: small,
    concurrency: fc.record({ path: fc.constant<string[]>(["customer"]), limit: small }),
    retries: fc.nat(1),
    is_wait: fc.boolean(),
    cluster: fc.constantFrom("gpu", "edge"),
  },
  { requiredKeys: [] },
);
const anyDag = fc.record({
  tasks: fc.array(anyTask, { minLength: 2, maxLength: 4 }),
  perRun: fc.integer({ min: 1, max: 4 }),
  perDag: maybe(fc.integer({ min: 1, max: 6 })),
});
type GivenDag = typeof anyDag extends fc.Arbitrary<infer Value> ? Value : never;

const dagIndex = fc.nat(DAGS.length - 1);
const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("trigger" as const),
      dag: dagIndex,
      customers: fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
      dated: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("finish" as const),
      share: fc.integer({ min: 1, max: 4 }),
      fails: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("end_wait" as const), share: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("take_out" as const), share: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pool" as const),
      name: fc.constantFrom(...POOLS),
      slots: fc.integer({ min: -1, max: 6 }),
      include_deferred: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pause" as const), dag: dagIndex, is_paused: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("version" as const), dag: dagIndex, of: anyDag }) },
);
type Step = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

it("a pass chooses what a full scan does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(anyDag, anyDag),
      fc.array(anyStep, { minLength: 10, maxLength: 40 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(1, 3, 500),
      async (dags, steps, parallelism, gpu, batch) => {
        const limits = { parallelism, clusterParallelism: new Map([["gpu", gpu]]), batch };
        const store = await openStoreBundle();
        try {
          for (const [index, dag] of dags.entries()) await save(store, index, dag);
          for (const step of steps) {
            await perform(store, step);
            await compareWithScan(store, limits);
            store.pass(1);
          }
          await compareWithRecount(store, limits);
        } finally {
          await store.close();
        }
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
}, 300_000);

it("what is kept beside the instances is made anew from them", async () => {
  const store = await openStoreBundle();
  try {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b"), taskOf("c")], { max_active_tasks: 2 }));
    await store.trigger("d");
    await store.settle();
    for (const { attempt_id } of await store.launch()) await store.finish(await store.start(attempt_id));
    // As no code of ours may leave it.
    await store.db.query({ text: "update queue_usage set used = 1000" });
    await store.db.query({ text: "update queue_lane set head_rank = null" });
    await store.settle();
    expect(await store.launch()).toEqual([]);
    store.pass(300);
    await store.settle();
    expect(await store.launch()).toHaveLength(1);
  } finally {
    await store.close();
  }
});

it("a reason names the parallelism that the last pass was told", async () => {
  const store = await openStoreBundle();
  try {
    await store.save(dagOf("d0", [taskOf("a"), taskOf("b"), taskOf("c")]));
    await store.trigger("d0");
    await startQueuedRuns(store.db, store.rules.versions, store.now(), 1);
    for (const parallelism of [1, 2]) {
      await queueReadyTasks(store.db, store.rules.versions, placement, { parallelism, batch: 500 }, store.now());
      const { rows } = await listScheduled(store);
      expect(rows).toHaveLength(3 - parallelism);
      for (const { reason } of rows) expect(reason).toContain(`WINDLASS_PARALLELISM is ${parallelism} (by "`);
    }
  } finally {
    await store.close();
  }
});

let saved = 0;
async function save(store: StoreBundle, index: number, { tasks, perRun, perDag }: GivenDag): Promise<void> {
  const customer = { kind: "param" as const, path: ["customer"] };
  const definition: DagDefinition = dagOf(
    DAGS[index] ?? "",
    tasks.map(({ is_wait, cluster, ...options }, place): TaskDefinition => {
      const operator = { type: "event" as const, schema: null, timeout: null, soft_fail: false };
      const wait = { kind: "wait" as const, operator };
      const kind = is_wait ? wait : cluster === undefined ? {} : { container: { ...CONTAINER, cluster } };
      return { ...taskOf(`t${place}`), ...options, inputs: { customer }, ...kind };
    }),
    {
      max_active_tasks: perRun,
      max_active_runs: 1_000,
      ...(perDag === undefined ? {} : { max_active_tasks_per_dag: perDag }),
    },
  );
  await store.save(definition, `hash ${(saved += 1)}`);
}

async function perform(store: StoreBundle, step: Step): Promise<void> {
  switch (step.kind) {
    case "trigger":
      for (const [index, customer] of step.customers.entries()) {
        const dates = { logical_date: step.dated ? new Date(store.now().getTime() + index).toISOString() : null };
        const run = { dag_id: DAGS[step.dag] ?? "", dag_run_id: randomUUID(), ...dates, run_after: null };
        const params = { customer: customer === 0 ? "" : `c${customer}` };
        const who = { note: null, triggered_by: "test" as const, user: null };
        await createManualRun(store.db, { ...run, conf: {}, params, ...who }, store.now());
      }
      return;
    case "finish": {
      const launched = (await store.launch()).filter((_, index) => index % step.share === 0);
      for (const { attempt_id } of launched) {
        await store.finish(await store.start(attempt_id), step.fails ? "task_failed" : "success");
      }
      return;
    }
    case "end_wait":
      await moveSome(store, "deferred", "success", step.share);
      return;
    case "take_out":
      await moveSome(store, "scheduled", "failed", step.share);
      return;
    case "pool":
      await store.db.query({
        text: `insert into slot_pool (name, slots, include_deferred) values ($1, $2, $3)
          on conflict (name) do update set slots = excluded.slots, include_deferred = excluded.include_deferred`,
        values: [step.name, step.slots, step.include_deferred],
      });
      return;
    case "pause":
      await store.db.query({
        text: "update dag set is_paused = $2 where dag_id = $1",
        values: [DAGS[step.dag], step.is_paused],
      });
      return;
    case "version":
      await save(store, step.dag, step.of);
      return;
  }
}

/** As a person would, or the end of a wait: every so many of those in a state. */
async function moveSome(store: StoreBundle, from: string, to: string, share: number): Promise<void> {
  await store.db.query({
    text: `update task_instance set state = $2, counted = false, end_date = $4 where id in (
      select id from (select id, row_number() over (order by id) as place from task_instance where state = $1) t
      where place % $3 = 0)`,
    values: [from, to, share, store.now()],
  });
}

const placement = { newId: randomUUID, podName, place: () => ({ executor: "local" as const, namespace: null }) };

async function compareWithScan(store: StoreBundle, limits: Parallelism & { batch: number }): Promise<void> {
  const { versions } = store.rules;
  await returnDueRetries(store.db, store.now());
  await startQueuedRuns(store.db, versions, store.now(), 100);
  while (await advanceNextRun(store.db, versions, store.now()));
  const expected = await scan(store, limits);
  const before = await idsOf(store);
  while ((await queueReadyTasks(store.db, versions, placement, limits, store.now())).more);
  const left = new Set(await idsOf(store));
  expect(before.filter((id) => !left.has(id)).toSorted()).toEqual(expected.toSorted());
  const page = await listScheduled(store);
  const { rows: paused } = await store.db.query<{ dag_id: string }>({ text: "select dag_id from dag where is_paused" });
  const held = page.rows.filter((row) => paused.every(({ dag_id }) => dag_id !== row.dag_id));
  expect(held.filter(({ reason }) => reason === null)).toEqual([]);
}

const listScheduled = (store: StoreBundle) =>
  listTaskInstances(store.db, {
    dag_id: undefined,
    dag_run_id: undefined,
    task_ids: undefined,
    states: ["scheduled"],
    ranges: [],
    order: [],
    limit: 10_000,
    offset: 0,
  });

async function idsOf(store: StoreBundle): Promise<string[]> {
  const { rows } = await store.db.query<{ id: string }>({
    text: "select id from task_instance where state = 'scheduled'",
  });
  return rows.map(({ id }) => id);
}

interface Row {
  id: string;
  state: string;
  task_id: string;
  run_id: number;
  dag_id: string;
  version_id: number;
  customer: string;
  is_paused: boolean;
}

const clusterOf = ({ container }: TaskDefinition) => container?.cluster ?? "";

/** The ids of all that should be queued now, by what the definitions say and nothing that the queue keeps. */
async function scan(store: StoreBundle, limits: Parallelism): Promise<string[]> {
  const { rows } = await store.db.query<Row>({
    text: `
      select t.id, t.state, t.task_id, t.run_id, r.dag_id, r.version_id, r.params->>'customer' as customer, d.is_paused
      from task_instance t join dag_run r on r.id = t.run_id join dag d on d.dag_id = r.dag_id
      where t.state in ('scheduled', 'queued', 'running', 'deferred')
      order by coalesce(r.logical_date, r.run_after), t.map_index, t.scheduled_at, t.id`,
  });
  const { rows: pools } = await store.db.query<{ name: string; slots: number; include_deferred: boolean }>({
    text: "select name, slots, include_deferred from slot_pool",
  });
  const known = await Promise.all(
    rows.map(async (row) => {
      const { definition } = await store.rules.versions.loadVersion(store.db, row.version_id);
      const task = definition.tasks.find(({ task_id }) => task_id === row.task_id);
      if (!task) throw new Error(`no task ${row.task_id}`);
      const priority = computePriorities(indexDag(definition)).get(row.task_id) ?? 1;
      return { row, definition, task, priority, pool: task.pool ?? "default_pool", slots: task.pool_slots ?? 1 };
    }),
  );
  type Known = (typeof known)[number];
  const active = known.filter(({ row }) => row.state === "queued" || row.state === "running");
  const deferred = known.filter(({ row }) => row.state === "deferred");
  const fits = ({ row, definition, task, pool, slots }: Known): boolean => {
    const of = pools.find(({ name }) => name === pool);
    const inPool = [...active, ...(of?.include_deferred ? deferred : [])].filter((other) => other.pool === pool);
    const inUse = inPool.reduce((sum, other) => sum + other.slots, 0);
    const hasSlots = of !== undefined && (of.slots === -1 || inUse + slots <= of.slots);
    if (task.kind === "wait") return of?.include_deferred ? hasSlots : true;
    const same = active.filter(({ row: other }) => other.dag_id === row.dag_id && other.task_id === row.task_id);
    // A version may have taken the key away, or the task have had none when it was queued.
    const sameKey = same.filter(
      ({ row: other, task: { concurrency } }) => concurrency && other.customer === row.customer,
    );
    const within = (limit: number | undefined, others: readonly unknown[]) =>
      limit === undefined || others.length < limit;
    return (
      hasSlots &&
      within(
        limits.clusterParallelism?.get(clusterOf(task)) ?? limits.parallelism,
        active.filter((other) => clusterOf(other.task) === clusterOf(task)),
      ) &&
      within(
        definition.max_active_tasks,
        active.filter(({ row: other }) => other.run_id === row.run_id),
      ) &&
      within(
        definition.max_active_tasks_per_dag,
        active.filter(({ row: other }) => other.dag_id === row.dag_id),
      ) &&
      within(task.max_active, same) &&
      within(
        task.max_active_per_run,
        same.filter(({ row: other }) => other.run_id === row.run_id),
      ) &&
      (row.customer === "" || within(task.concurrency?.limit, sameKey))
    );
  };
  const chosen: string[] = [];
  // Stable: the rows come in the rest of the order.
  const waiting = known.filter(({ row }) => row.state === "scheduled" && !row.is_paused);
  for (const one of waiting.toSorted((a, b) => b.priority - a.priority)) {
    if (!fits(one)) continue;
    (one.task.kind === "wait" ? deferred : active).push(one);
    chosen.push(one.row.id);
  }
  return chosen;
}

/** What was kept from pass to pass is what the instances say. */
async function compareWithRecount(store: StoreBundle, limits: Parallelism): Promise<void> {
  const queue = () =>
    queueReadyTasks(store.db, store.rules.versions, placement, { ...limits, batch: 500 }, store.now());
  const read = async () => {
    const usage = await store.db.query({ text: "select name, used from queue_usage order by name" });
    const heads = await store.db.query({
      text: `select id, head_rank, head_date, head_map_index, head_scheduled_at, head_id, is_open from queue_lane
        where head_rank is not null order by id`,
    });
    return { usage: usage.rows, heads: heads.rows };
  };
  await queue();
  await queue();
  const { usage, heads } = await read();
  store.pass(300);
  await queue();
  const recounted = await read();
  expect(usage).toEqual(recounted.usage);
  // A head may be of one that is gone, and then is too early; none is missing.
  const known = new Set(heads.map(({ id }) => id));
  expect(recounted.heads.filter(({ id }) => !known.has(id))).toEqual([]);
}
