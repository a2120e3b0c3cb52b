// Several schedulers at work on random limits: at no moment is one exceeded, and in the end everything has run.

import fc from "fast-check";
import { expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

const SCHEDULERS = 3;
const POOLS: Record<string, number> = { narrow: 2, wide: 7, default_pool: 4 };

interface Active {
  dag_id: string;
  run_id: number;
  task_id: string;
  customer: string;
}

const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const small = fc.integer({ min: 1, max: 3 });
const anyOptions = fc.record(
  {
    pool: fc.constantFrom("narrow", "wide"),
    pool_slots: fc.integer({ min: 1, max: 2 }),
    priority_weight: fc.integer({ min: 0, max: 100 }),
    max_active: small,
    max_active_per_run: small,
    concurrency: fc.record({ path: fc.constant<string[]>(["customer"]), limit: small }),
    upstream: fc.array(fc.nat(6), { maxLength: 2 }),
  },
  { requiredKeys: ["upstream"] },
);
const anyDag = fc.record({
  tasks: fc.array(anyOptions, { minLength: 3, maxLength: 7 }),
  perRun: fc.integer({ min: 1, max: 4 }),
  perDag: maybe(fc.integer({ min: 1, max: 5 })),
  runs: fc.integer({ min: 2, max: 4 }),
});

it("no limit is ever exceeded, and nothing starves", async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(anyDag, anyDag), async (dags) => {
      const store = await openStoreBundle();
      try {
        await work(store, dags);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 6, endOnFailure: true },
  );
}, 300_000);

type GivenDag = typeof anyDag extends fc.Arbitrary<infer Value> ? Value : never;

async function work(store: StoreBundle, dags: readonly GivenDag[]): Promise<void> {
  const definitions = dags.map(({ tasks, perRun, perDag }, index) =>
    dagOf(
      `d${index}`,
      tasks.map(({ upstream, ...options }, place): TaskDefinition => {
        const earlier = [...new Set(upstream.filter((other) => other < place).map((other) => `t${other}`))];
        const customer = { kind: "param" as const, path: ["customer"] };
        return { ...taskOf(`t${place}`, earlier), ...options, inputs: { customer } };
      }),
      { max_active_tasks: perRun, ...(perDag === undefined ? {} : { max_active_tasks_per_dag: perDag }) },
    ),
  );
  for (const [name, slots] of Object.entries(POOLS)) {
    await store.db.query({
      text: `insert into slot_pool (name, slots, include_deferred) values ($1, $2, false)
        on conflict (name) do update set slots = excluded.slots`,
      values: [name, slots],
    });
  }
  for (const [index, definition] of definitions.entries()) {
    await store.save(definition, `hash ${index}`);
    for (let run = 0; run < (dags[index]?.runs ?? 0); run += 1) await trigger(store, definition.dag_id, run);
  }
  const tasks = new Map(
    definitions.flatMap((dag) => dag.tasks.map((task) => [`${dag.dag_id} ${task.task_id}`, { dag, task }])),
  );
  let worked = 0;
  for (;;) {
    await Promise.all(Array.from({ length: SCHEDULERS }, () => store.settle()));
    const active = await readActive(store);
    expect(findExcess(active, tasks)).toEqual([]);
    const launched = await store.launch();
    if (launched.length === 0) break;
    // While some of them end, others go on: limits fill and empty in many ways.
    const ending = launched.filter((_, index) => index % 2 === 0 || launched.length === 1);
    const others = launched.filter((attempt) => !ending.includes(attempt));
    await Promise.all([
      ...ending.map(async ({ attempt_id }) => store.finish(await store.start(attempt_id))),
      store.settle(),
      store.settle(),
    ]);
    expect(findExcess(await readActive(store), tasks)).toEqual([]);
    for (const { attempt_id } of others) await store.finish(await store.start(attempt_id));
    worked += launched.length;
  }
  const expected = dags.reduce((sum, dag) => sum + dag.runs * dag.tasks.length, 0);
  expect(worked).toBe(expected);
}

const trigger = (store: StoreBundle, dagId: string, index: number) =>
  createManualRun(
    store.db,
    {
      dag_id: dagId,
      dag_run_id: `r${index}`,
      logical_date: null,
      run_after: null,
      conf: {},
      params: { customer: index % 2 === 0 ? "x" : "y" },
      note: null,
      triggered_by: "test",
      user: null,
    },
    store.now(),
  );

async function readActive(store: StoreBundle): Promise<Active[]> {
  const { rows } = await store.db.query<Active>({
    text: `select r.dag_id, t.run_id, t.task_id, r.params->>'customer' as customer
      from task_instance t join dag_run r on r.id = t.run_id where t.state in ('queued', 'running')`,
  });
  return rows;
}

/** Counted from the rows alone, and judged by the definitions: nothing that the scheduler keeps for itself is believed. */
function findExcess(
  active: readonly Active[],
  tasks: ReadonlyMap<
    string,
    { dag: { max_active_tasks: number; max_active_tasks_per_dag?: number }; task: TaskDefinition }
  >,
): string[] {
  const found: string[] = [];
  const used = new Map<string, number>();
  const take = (name: string, limit: number | undefined, slots = 1) => {
    const now = (used.get(name) ?? 0) + slots;
    used.set(name, now);
    if (limit !== undefined && now > limit) found.push(`${name}: ${now} of ${limit}`);
  };
  for (const { dag_id, run_id, task_id, customer } of active) {
    const known = tasks.get(`${dag_id} ${task_id}`);
    if (!known) throw new Error(`no task ${task_id} of ${dag_id}`);
    const { dag, task } = known;
    const pool = task.pool ?? "default_pool";
    take(`pool ${pool}`, POOLS[pool], task.pool_slots ?? 1);
    take(`run ${run_id}`, dag.max_active_tasks);
    take(`dag ${dag_id}`, dag.max_active_tasks_per_dag);
    take(`task ${dag_id} ${task_id}`, task.max_active);
    take(`task of run ${run_id} ${task_id}`, task.max_active_per_run);
    take(`key ${dag_id} ${task_id} ${customer}`, task.concurrency?.limit);
  }
  return found;
}
