// What it costs Postgres to bring a run from its trigger to its end, for runs of any shape and size, by the server's own
// measure: the time in which it was executing, which grows with whatever else the machine does, and the pages that it
// touched, which do not.

import pg from "pg";
import type { DagDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import type { TestDatabase } from "./postgres-database.ts";
import { dagOf, openStoreBundle, taskOf } from "./store-bundle.ts";

export interface Shape {
  name: string;
  /** A DAG whose run has about this many instances. */
  build(instances: number): DagDefinition;
  /** What a task returns. */
  answer(taskId: string, instances: number): Json;
}

const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`);
const itemOf = (name: string) => ({ kind: "item" as const, name, path: [] });

function mapOver(taskId: string, source: string) {
  const array = { kind: "result" as const, task_id: source, path: [] };
  return taskOf(taskId, [source], {
    inputs: { n: itemOf("n") },
    map: { over: [{ name: "n", array }], max_length: 100_000 },
  });
}

const CHAIN = ["m0", "m1", "m2", "m3"];

export const SHAPES: Shape[] = [
  {
    name: "chain of maps",
    build: () =>
      dagOf("chain", [
        taskOf("rows"),
        ...CHAIN.map((id, index) => mapOver(id, CHAIN[index - 1] ?? "rows")),
        taskOf("total", ["m3"]),
      ]),
    answer: (taskId, instances) =>
      taskId === "rows" ? Array.from({ length: Math.floor(instances / CHAIN.length) }, (_, index) => index) : 1,
  },
  {
    name: "one wide map",
    build: () => dagOf("wide", [taskOf("rows"), mapOver("m0", "rows"), taskOf("total", ["m0"])]),
    answer: (taskId, instances) => (taskId === "rows" ? Array.from({ length: instances }, (_, index) => index) : 1),
  },
  {
    name: "mapped group",
    build: () =>
      dagOf(
        "group",
        [
          taskOf("rows"),
          { ...mapOver("g", "rows"), kind: "expand" as const, inputs: {} },
          taskOf("g.one", [], { group: "g", inputs: { n: itemOf("n") } }),
          taskOf("g.two", ["g.one"], { group: "g" }),
          taskOf("total", ["g.two"]),
        ],
        { groups: [{ group_id: "g" }] },
      ),
    answer: (taskId, instances) =>
      taskId === "rows" ? Array.from({ length: Math.floor(instances / 2) }, (_, index) => index) : 1,
  },
  {
    name: "wide fan-in",
    build: (instances) =>
      dagOf("fan_in", [...idsOf(instances).map((id) => taskOf(id)), taskOf("end", idsOf(instances), { inputs: {} })]),
    answer: () => null,
  },
  {
    name: "wide fan-out",
    build: (instances) => dagOf("fan_out", [taskOf("start"), ...idsOf(instances).map((id) => taskOf(id, ["start"]))]),
    answer: () => 1,
  },
];

export interface Progress {
  /** Milliseconds in which Postgres was executing. */
  active: number;
  /** Pages touched. */
  pages: number;
  instances: number;
}

// Ends come together in production too, for one pass takes all that there are; fewer cost more.
const ENDS_PER_PASS = 50;

/** Takes one run from its trigger to its end, on a database that nobody else uses. */
export async function measureRun(database: TestDatabase, shape: Shape, instances: number): Promise<Progress> {
  const store = await openStoreBundle(database);
  const definition = shape.build(instances);
  await store.save(definition);
  const before = await readStatistics(database.url);
  const run = await store.trigger(definition.dag_id);
  for (;;) {
    await store.settle();
    const launched = await store.launch();
    if (launched.length === 0) break;
    for (let from = 0; from < launched.length; from += ENDS_PER_PASS) {
      const batch = launched.slice(from, from + ENDS_PER_PASS);
      await Promise.all(
        batch.map(async ({ attempt_id, task_id }) => {
          const started = await store.start(attempt_id);
          await store.finish(started, "success", shape.answer(task_id, instances));
        }),
      );
      await advanceNextRun(store.db, store.rules.versions, store.now());
    }
  }
  const state = await store.runState(run.id);
  const { rows } = await store.db.query<{ count: number }>({ text: "select count(*) as count from task_instance" });
  await store.db.close();
  if (state !== "success") throw new Error(`the run ended as ${state}`);
  const after = await readStatistics(database.url);
  return {
    active: after.active - before.active,
    pages: after.pages - before.pages,
    instances: rows[0]?.count ?? 0,
  };
}

/** Of the connections that have ended: each adds its part when it does. */
async function readStatistics(url: string): Promise<Omit<Progress, "instances">> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Omit<Progress, "instances">>(
      "select active_time as active, (blks_hit + blks_read)::float8 as pages from pg_stat_database where datname = current_database()",
    );
    return rows[0] ?? { active: 0, pages: 0 };
  } finally {
    await client.end();
  }
}
