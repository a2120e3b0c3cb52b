import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countOccupants,
  createQueueLimits,
  type Lane,
  type Occupant,
  type Parallelism,
  type SlotPool,
} from "./plan-queue.ts";

interface Given extends Parallelism {
  pools: (SlotPool & { deferred: number })[];
  occupants: Occupant[];
}

const lane = (change: Partial<Lane> = {}): Lane => ({
  id: 1,
  run_id: 1,
  dag_id: "d",
  dag_run_id: "r1",
  cluster: "",
  pool: "p",
  pool_slots: 1,
  task_id: "t",
  key: "k",
  is_wait: false,
  run_limit: 10,
  dag_limit: null,
  task_limit: null,
  task_run_limit: null,
  key_limit: null,
  ...change,
});
const occupant = (change: Partial<Occupant> = {}): Occupant => ({ ...lane(), active: 1, deferred: 0, ...change });
const pool = (slots: number, deferred = 0, include_deferred = true) => ({
  name: "p",
  slots,
  deferred,
  include_deferred,
});
const state = (change: Partial<Given> = {}): Given => ({
  parallelism: 10,
  pools: [pool(10)],
  occupants: [],
  ...change,
});
const limitsOf = ({ pools, occupants, ...parallelism }: Given) => {
  const deferred = pools.map((each) => occupant({ pool: each.name, active: 0, deferred: each.deferred }));
  return createQueueLimits({ ...parallelism, pools, ...countOccupants([...occupants, ...deferred]) });
};

describe("headroom and reason", () => {
  const wait = { is_wait: true };
  const two = [occupant({ active: 2 })];
  const inGpu = { cluster: "gpu" };
  const elsewhere = occupant({ run_id: 2, dag_run_id: "r2", key: "" });
  const cases: [string, Partial<Given>, Partial<Lane>, number, string | null][] = [
    ["nothing is in use", {}, {}, 10, null],
    ["an unknown pool", { pools: [] }, {}, 0, 'there is no pool "p"; create it by "windlass pools set p 1"'],
    [
      "too many slots",
      {},
      { pool_slots: 11 },
      0,
      'it takes 11 slots and pool "p" has 10; enlarge it by "windlass pools set p 11"',
    ],
    [
      "a closed pool",
      { pools: [pool(0)] },
      {},
      0,
      'it takes 1 slot and pool "p" has 0; enlarge it by "windlass pools set p 1"',
    ],
    ["a pool without a limit", { pools: [pool(-1)] }, { pool_slots: 100 }, 10, null],
    ["slots of several", { occupants: [occupant({ active: 3, pool_slots: 2 })] }, { pool_slots: 3 }, 1, null],
    ["deferred slots", { pools: [pool(2, 2)] }, {}, 0, '2 of the 2 slots of pool "p" are in use'],
    ["deferred slots that do not count", { pools: [pool(2, 2, false)] }, {}, 2, null],
    [
      "a wait, which nothing limits",
      { occupants: two, parallelism: 2, pools: [pool(2, 0, false)] },
      wait,
      Infinity,
      null,
    ],
    ["a wait whose pool does not exist", { pools: [] }, wait, Infinity, null],
    [
      "a wait where deferred slots count",
      { occupants: two, parallelism: 2, pools: [pool(3, 1)] },
      wait,
      0,
      '3 of the 3 slots of pool "p" are in use (by "t" of run "r1" and 1 more)',
    ],
    [
      "a run",
      { occupants: two },
      { run_limit: 2 },
      0,
      '2 tasks of this run are active, max_active_tasks is 2 (by "t" of run "r1" and 1 more)',
    ],
    ["another run", { occupants: two }, { run_id: 2, run_limit: 2 }, 2, null],
    [
      "a DAG",
      { occupants: [...two, elsewhere] },
      { dag_limit: 3 },
      0,
      '3 tasks of this DAG are active, maxActiveTasksPerDag is 3 (by "t" of run "r1", "t" of run "r2" and 1 more)',
    ],
    [
      "a task",
      { occupants: [elsewhere] },
      { task_limit: 1 },
      0,
      '1 of task "t" are active in all runs, maxActive is 1 (by "t" of run "r2")',
    ],
    ["a task of a run", { occupants: [elsewhere] }, { task_run_limit: 1 }, 1, null],
    [
      "a key",
      { occupants: two },
      { key_limit: 2 },
      0,
      '2 of task "t" are active for "k", the limit of its concurrency is 2 (by "t" of run "r1" and 1 more)',
    ],
    ["another key", { occupants: two }, { key: "l", key_limit: 2 }, 2, null],
    [
      "the installation",
      { occupants: two, parallelism: 2 },
      {},
      0,
      '2 tasks of the installation are active, WINDLASS_PARALLELISM is 2 (by "t" of run "r1" and 1 more)',
    ],
    ["another cluster, while the installation is full", { occupants: two, parallelism: 2 }, inGpu, 2, null],
    ["the installation, while a cluster is full", { occupants: [occupant(inGpu)], parallelism: 1 }, {}, 1, null],
    [
      "a cluster",
      { occupants: [occupant(inGpu), ...two], clusterParallelism: new Map([["gpu", 1]]) },
      inGpu,
      0,
      '1 tasks are active in cluster "gpu", its parallelism is 1 (by "t" of run "r1")',
    ],
    [
      "a cluster without a parallelism of its own",
      { occupants: [occupant({ ...inGpu, active: 2 })], parallelism: 2, clusterParallelism: new Map([["edge", 9]]) },
      inGpu,
      0,
      '2 tasks are active in cluster "gpu", its parallelism is 2 (by "t" of run "r1" and 1 more)',
    ],
  ];
  it.each(cases)("%s", (_, change, limits, headroom, reason) => {
    const found = limitsOf(state(change));
    expect(found.headroom(lane(limits))).toBe(headroom);
    expect(found.explain(lane(limits))).toBe(reason === null ? null : `waits for a slot: ${reason}`);
  });
});

interface Instance {
  lane: Lane;
  order: number;
}

/** Looks at every instance in turn and counts everything anew: slow, and plainly what the limits say. */
function queueSlowly(instances: readonly Instance[], { pools, occupants, ...limits }: Given): Instance[] {
  const active: Lane[] = occupants.flatMap((each) => Array.from({ length: each.active }, () => lane(each)));
  const deferred: Lane[] = [];
  const count = (same: (other: Lane) => boolean) => active.filter(same).length;
  const fits = (one: Lane): boolean => {
    const of = pools.find(({ name }) => name === one.pool);
    const parallelism = limits.clusterParallelism?.get(one.cluster) ?? limits.parallelism;
    if (one.is_wait && !of?.include_deferred) return true;
    if (!of) return false;
    const all = of.include_deferred ? [...active, ...deferred] : active;
    const before = of.include_deferred ? of.deferred : 0;
    const slots = all.reduce((sum, other) => sum + (other.pool === one.pool ? other.pool_slots : 0), before);
    if (one.is_wait) return of.slots === -1 || slots + one.pool_slots <= of.slots;
    const task = (other: Lane) => other.dag_id === one.dag_id && other.task_id === one.task_id;
    return (
      (of.slots === -1 || slots + one.pool_slots <= of.slots) &&
      count((other) => other.cluster === one.cluster) < parallelism &&
      count((other) => other.run_id === one.run_id) < one.run_limit &&
      (one.dag_limit === null || count((other) => other.dag_id === one.dag_id) < one.dag_limit) &&
      (one.task_limit === null || count(task) < one.task_limit) &&
      (one.task_run_limit === null ||
        count((other) => task(other) && other.run_id === one.run_id) < one.task_run_limit) &&
      (one.key_limit === null || count((other) => task(other) && other.key === one.key) < one.key_limit)
    );
  };
  return instances
    .toSorted((a, b) => a.order - b.order)
    .filter((instance) => {
      if (!fits(instance.lane)) return false;
      (instance.lane.is_wait ? deferred : active).push(instance.lane);
      return true;
    });
}

/** As the store does: no more of a lane than it has room for, in order, a batch at a time, until a batch is not full. */
function queueByLanes(instances: readonly Instance[], given: Given, batch: number): Instance[] {
  const queued: Instance[] = [];
  for (;;) {
    const taken = queued.map(({ lane: of }) => ({ ...of, active: of.is_wait ? 0 : 1, deferred: of.is_wait ? 1 : 0 }));
    const limits = limitsOf({ ...given, occupants: [...given.occupants, ...taken] });
    const waiting = instances.filter((instance) => !queued.includes(instance)).toSorted((a, b) => a.order - b.order);
    const candidates = [...Map.groupBy(waiting, (instance) => instance.lane.id).values()]
      .flatMap((same) => same.slice(0, same[0] ? limits.headroom(same[0].lane) : 0))
      .toSorted((a, b) => a.order - b.order)
      .slice(0, batch);
    const chosen = candidates.filter((instance) => limits.take(instance.lane, instance.lane.task_id));
    // What is left waits for a limit that is full, and can say which.
    if (candidates.length < batch) {
      const left = waiting.filter((instance) => !chosen.includes(instance));
      expect(left.every((instance) => limits.explain(instance.lane) !== null)).toBe(true);
      return [...queued, ...chosen];
    }
    expect(chosen.length).toBeGreaterThan(0);
    queued.push(...chosen);
  }
}

describe("queueing by lanes", () => {
  const limit = fc.option(fc.integer({ min: 1, max: 3 }), { nil: null });
  const id = (...names: string[]) => fc.constantFrom(...names);
  const anyLane = fc
    .record({
      run_id: fc.integer({ min: 1, max: 3 }),
      cluster: id("", "gpu", "edge"),
      pool: id("p", "q", "unknown"),
      pool_slots: fc.integer({ min: 1, max: 3 }),
      task_id: id("t", "u"),
      key: id("k", "l"),
      is_wait: fc.boolean(),
      run_limit: fc.integer({ min: 1, max: 4 }),
      dag_limit: limit,
      task_limit: limit,
      task_run_limit: limit,
      key_limit: limit,
    })
    .map((given) => lane({ ...given, dag_id: given.run_id === 3 ? "e" : "d", dag_run_id: `r${given.run_id}` }));
  const anyPool = fc.record({
    slots: fc.integer({ min: -1, max: 6 }),
    deferred: fc.nat(1),
    include_deferred: fc.boolean(),
  });
  const anyState = fc.record({
    parallelism: fc.integer({ min: 0, max: 8 }),
    clusterParallelism: fc.integer({ min: 0, max: 8 }).map((gpu) => new Map([["gpu", gpu]])),
    pools: fc.tuple(anyPool, anyPool).map(([p, q]) => [
      { ...p, name: "p" },
      { ...q, name: "q" },
    ]),
    occupants: fc.array(
      fc.tuple(anyLane, fc.integer({ min: 1, max: 2 })).map(([of, active]) => ({ ...of, active, deferred: 0 })),
      { maxLength: 3 },
    ),
  });

  it("queues what a slow look at every instance does: none that could run is left, and none passes its better", () => {
    const lanes = fc.array(anyLane, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        lanes,
        fc.array(fc.nat(5), { maxLength: 25 }),
        anyState,
        fc.integer({ min: 1, max: 5 }),
        (given, places, at, batch) => {
          const numbered = given.map((each, index) => ({ ...each, id: index }));
          const instances = places.flatMap((place, order) => {
            const of = numbered[place % numbered.length];
            return of ? [{ lane: of, order }] : [];
          });
          expect(queueByLanes(instances, at, batch)).toEqual(queueSlowly(instances, at));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
