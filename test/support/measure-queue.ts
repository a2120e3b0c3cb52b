// What a pass of the queue costs while thousands of lanes wait: the time that it takes, and the pages that it touches, by the
// server's own measure.

import { randomUUID } from "node:crypto";
import pg from "pg";
import type { DagDefinition, TaskDefinition } from "../../src/core/definition.ts";
import { podName } from "../../src/core/pod-name.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import { startQueuedRuns } from "../../src/store/run-start.ts";
import { queueReadyTasks } from "../../src/store/task-queue.ts";
import type { TestDatabase } from "./postgres-database.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "./store-bundle.ts";

export interface QueueShape {
  name: string;
  /** Brings the queue to where `count` instances wait; returns the parallelism to measure with. */
  prepare(store: StoreBundle, count: number): Promise<number>;
  /** What happens before each pass. */
  between?(store: StoreBundle): Promise<void>;
}

export interface QueueCost {
  /** Milliseconds: the median of the passes. */
  p50: number;
  /** Of one pass. */
  pages: number;
  queued: number;
}

const MANY = 1_000_000;
const placement = { newId: randomUUID, podName, place: () => ({ executor: "local" as const, namespace: null }) };

const pass = (store: StoreBundle, parallelism: number) =>
  queueReadyTasks(store.db, store.rules.versions, placement, { parallelism, batch: 500 }, store.now());

async function advance(store: StoreBundle): Promise<void> {
  await startQueuedRuns(store.db, store.rules.versions, store.now(), MANY);
  while (await advanceNextRun(store.db, store.rules.versions, store.now()));
}

/** A task for each of `count` items, each with its own concurrency key unless told otherwise. */
function mapOf(dagId: string, more: Partial<TaskDefinition> = {}, limits: Partial<DagDefinition> = {}): DagDefinition {
  const array = { kind: "result" as const, task_id: "rows", path: [] };
  const item = { kind: "item" as const, name: "n", path: [] };
  const mapped = taskOf("a", ["rows"], {
    inputs: { n: item },
    map: { over: [{ name: "n", array }], max_length: MANY },
    concurrency: { path: ["n"], limit: 1 },
    ...more,
  });
  return dagOf(dagId, [taskOf("rows"), mapped], { max_active_tasks: MANY, max_active_runs: MANY, ...limits });
}

/** A run of it, up to where its map has been expanded. */
async function expand(store: StoreBundle, dagId: string, count: number): Promise<void> {
  await store.trigger(dagId);
  await advance(store);
  await pass(store, MANY);
  const keys = Array.from({ length: count }, (_, index) => `customer ${index}`);
  await store.finish(await store.start(await findQueued(store, "rows")), "success", keys);
  await advance(store);
}

async function drain(store: StoreBundle, parallelism: number): Promise<void> {
  while ((await pass(store, parallelism)).more);
}

async function setPool(store: StoreBundle, slots: number): Promise<void> {
  await store.db.query({ text: `insert into slot_pool values ('db', $1, null, false)`, values: [slots] });
}

async function findQueued(store: StoreBundle, taskId: string): Promise<string> {
  const { rows } = await store.db.query<{ id: string }>({
    text: `select a.id from attempt a join task_instance t on t.id = a.task_instance_id
      where t.task_id = $1 and a.state = 'queued' order by a.id limit 1`,
    values: [taskId],
  });
  if (!rows[0]) throw new Error(`nothing of ${taskId} is queued`);
  return rows[0].id;
}

/** One of those that are queued runs to its end. */
async function endOne(store: StoreBundle): Promise<void> {
  await store.finish(await store.start(await findQueued(store, "a")));
  await advance(store);
}

const closedBy = (name: string, more: Partial<TaskDefinition>, limits: Partial<DagDefinition>): QueueShape => ({
  name,
  prepare: async (store, count) => {
    await setPool(store, 8);
    await store.save(mapOf("d", more, limits));
    await expand(store, "d", count);
    await drain(store, MANY);
    return MANY;
  },
});

const runEach = (name: string, more: Partial<TaskDefinition>): QueueShape => ({
  name,
  prepare: async (store, count) => {
    await setPool(store, 8);
    await store.save(dagOf("d", [taskOf("a", [], more)], { max_active_runs: MANY }));
    for (let made = 0; made < count; made += 20) {
      await Promise.all(Array.from({ length: 20 }, () => store.trigger("d")));
    }
    await advance(store);
    await drain(store, MANY);
    return MANY;
  },
  between: endOne,
});

const IN_GPU = {
  image: "busybox",
  cmds: [],
  arguments: null,
  env: {},
  get_logs: false,
  skip_on_exit_codes: [],
  cluster: "gpu",
};

export const QUEUE_SHAPES: QueueShape[] = [
  closedBy("a full run", {}, { max_active_tasks: 16 }),
  { ...closedBy("a run with one slot free", {}, { max_active_tasks: 16 }), between: endOne },
  closedBy("a full pool", { pool: "db" }, {}),
  { ...closedBy("a pool with one slot free", { pool: "db" }, {}), between: endOne },
  {
    name: "parallelism is full",
    prepare: async (store, count) => {
      await store.save(mapOf("d"));
      await expand(store, "d", count);
      await drain(store, 16);
      return 16;
    },
  },
  {
    name: "another cluster is full",
    prepare: async (store, count) => {
      await store.save(mapOf("d", { container: IN_GPU }));
      await expand(store, "d", count);
      await drain(store, 16);
      return 16;
    },
  },
  {
    name: "parallelism has one free",
    prepare: async (store, count) => {
      await store.save(mapOf("d"));
      await expand(store, "d", count);
      await drain(store, 16);
      return 16;
    },
    between: endOne,
  },
  {
    name: "each closed by its own key",
    prepare: async (store, count) => {
      await store.save(mapOf("d"));
      await expand(store, "d", count);
      await drain(store, MANY);
      await expand(store, "d", count);
      await drain(store, MANY);
      return MANY;
    },
  },
  runEach("one run each, a full pool", { pool: "db" }),
  runEach("one run each, one key for all", {
    inputs: { day: { kind: "value", value: "today" } },
    concurrency: { path: ["day"], limit: 4 },
  }),
  closedBy("one lane, a full pool", { pool: "db", concurrency: undefined as never }, {}),
];

/** @param passes that are measured, after one that is not */
export async function measureQueue(
  database: TestDatabase,
  shape: QueueShape,
  count: number,
  passes: number,
): Promise<QueueCost> {
  const store = await openStoreBundle(database);
  await keepVacuumAway(store);
  const parallelism = await shape.prepare(store, count);
  await store.db.query({ text: "analyze" });
  const times: number[] = [];
  let queued = 0;
  for (let index = 0; index <= passes; index += 1) {
    await shape.between?.(store);
    const began = performance.now();
    queued += (await pass(store, parallelism)).queued;
    if (index > 0) times.push(performance.now() - began);
  }
  await shape.between?.(store);
  await store.db.close();
  // The first pass of a connection also reads the catalogue, and queues what is left to be queued.
  await countPages(database, parallelism, 1);
  const first = await countLeastPages(database, parallelism, 1);
  const pages = (await countLeastPages(database, parallelism, 1 + PASSES)) - first;
  return {
    p50: times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0,
    pages: pages / PASSES,
    queued,
  };
}

async function keepVacuumAway(store: StoreBundle): Promise<void> {
  const { rows } = await store.db.query<{ name: string }>({
    text: "select quote_ident(tablename) as name from pg_tables where schemaname = 'public'",
  });
  for (const { name } of rows) {
    await store.db.query({ text: `alter table ${name} set (autovacuum_enabled = false)` });
  }
}

const PASSES = 5;

/** Of so many passes in which nothing happens. */
async function countPages(database: TestDatabase, parallelism: number, passes: number): Promise<number> {
  const before = await readPages(database.url);
  const store = await openStoreBundle(database);
  for (let index = 0; index < passes; index += 1) await pass(store, parallelism);
  await store.db.close();
  return (await readPages(database.url)) - before;
}

/** Of three countings: a connection that reads the catalogue once more adds a thousand to one of them. */
async function countLeastPages(database: TestDatabase, parallelism: number, passes: number): Promise<number> {
  const counts: number[] = [];
  for (let round = 0; round < 3; round += 1) counts.push(await countPages(database, parallelism, passes));
  return Math.min(...counts);
}

/** By connections that have ended: each adds its part when it does. */
async function readPages(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // A connection that has been closed here may not have ended there, and a vacuum counts as well.
    for (let others = true; others;) {
      const { rowCount } = await client.query(
        "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      others = rowCount !== 0;
    }
    const { rows } = await client.query<{ pages: number }>(
      "select (blks_hit + blks_read)::float8 as pages from pg_stat_database where datname = current_database()",
    );
    return rows[0]?.pages ?? 0;
  } finally {
    await client.end();
  }
}
