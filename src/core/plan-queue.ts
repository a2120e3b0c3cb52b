// Which waiting instances may be queued now. An instance waits in a lane: all of one lane count towards the same limits, so
// a limit closes lanes, and candidates are read of open lanes alone. Whoever is held back never stands in another's way.

import { clause } from "./phrase.ts";

/** The limits that an instance counts towards; null is no limit. */
export interface Lane {
  id: number;
  run_id: number;
  dag_id: string;
  dag_run_id: string;
  pool: string;
  pool_slots: number;
  /** "": it has no limits of one task. */
  task_id: string;
  /** "": none. */
  key: string;
  run_limit: number;
  dag_limit: number | null;
  task_limit: number | null;
  task_run_limit: number | null;
  key_limit: number | null;
}

/** Queued or running instances that are alike. */
export type Occupant = Pick<Lane, "run_id" | "dag_id" | "dag_run_id" | "pool" | "pool_slots" | "task_id" | "key"> & {
  active: number;
};

export interface SlotPool {
  name: string;
  /** -1: no limit. */
  slots: number;
  /** Slots of deferred instances, where the pool counts them. */
  deferred: number;
}

export interface QueueState {
  parallelism: number;
  pools: readonly SlotPool[];
  occupants: readonly Occupant[];
}

/** Limits as they fill up. */
export interface QueueLimits {
  /** How many instances of the lane could be queued if it were alone. */
  headroom(lane: Lane): number;
  /** Queues one more of the lane, an instance of this task, unless a limit forbids it. */
  take(lane: Lane, taskId: string): boolean;
  /** Why the lane is closed: the limit, its value, and who is before it; null: it is open. */
  explain(lane: Lane): string | null;
}

interface Limit {
  name: string;
  /** Slots that one instance takes. */
  cost: number;
  value: number;
  say: (used: number) => string;
}

const HOLDERS = 2;

export function createQueueLimits({ parallelism, pools, occupants }: QueueState): QueueLimits {
  const sizes = new Map(pools.map((pool) => [pool.name, pool.slots]));
  const used = new Map<string, number>(pools.map((pool) => [`pool ${pool.name}`, pool.deferred]));
  const holders = new Map<string, { names: string[]; active: number }>();
  const occupy = (occupant: Occupant) => {
    for (const name of namesOf(occupant)) {
      const slots = occupant.active * (name.startsWith("pool ") ? occupant.pool_slots : 1);
      used.set(name, (used.get(name) ?? 0) + slots);
      const held = holders.get(name) ?? { names: [], active: 0 };
      if (held.names.length < HOLDERS) held.names.push(`"${occupant.task_id}" of run "${clause(occupant.dag_run_id)}"`);
      held.active += occupant.active;
      holders.set(name, held);
    }
  };
  occupants.forEach(occupy);
  // Each lane is asked several times, and there may be thousands.
  const known = new Map<Lane, Limit[]>();
  const limitsOf = (lane: Lane) => {
    const limits = known.get(lane) ?? listLimits(lane, sizes, parallelism);
    known.set(lane, limits);
    return limits;
  };
  const free = (limit: Limit) => Math.floor((limit.value - (used.get(limit.name) ?? 0)) / limit.cost);
  return {
    headroom: (lane) => Math.max(0, Math.min(...limitsOf(lane).map(free))),
    take: (lane, taskId) => {
      const limits = limitsOf(lane);
      if (limits.some((limit) => free(limit) < 1)) return false;
      occupy({ ...lane, task_id: taskId, active: 1 });
      return true;
    },
    explain: (lane) => {
      const full = limitsOf(lane).find((limit) => free(limit) < 1);
      if (!full) return null;
      const before = sayHolders(holders.get(full.name));
      return `waits for a slot: ${full.say(used.get(full.name) ?? 0)}${before}`;
    },
  };
}

/** In the order in which a reason is looked for: what an author can change first. */
function listLimits(lane: Lane, pools: ReadonlyMap<string, number>, parallelism: number): Limit[] {
  const [all, pool, run, dag, task, taskRun, key] = namesOf(lane);
  const one = (name: string, value: number | null, say: Limit["say"]): Limit[] =>
    value === null ? [] : [{ name, cost: 1, value, say }];
  return [
    ...listPoolLimit(lane, pool, pools.get(lane.pool)),
    ...one(
      taskRun,
      lane.task_run_limit,
      (used) => `${used} of task "${lane.task_id}" are active in this run, maxActivePerRun is ${lane.task_run_limit}`,
    ),
    ...one(
      task,
      lane.task_limit,
      (used) => `${used} of task "${lane.task_id}" are active in all runs, maxActive is ${lane.task_limit}`,
    ),
    ...one(
      key,
      lane.key_limit,
      (used) =>
        `${used} of task "${lane.task_id}" are active for "${clause(lane.key)}", the limit of its concurrency is ${lane.key_limit}`,
    ),
    ...one(
      run,
      lane.run_limit,
      (used) => `${used} tasks of this run are active, max_active_tasks is ${lane.run_limit}`,
    ),
    ...one(
      dag,
      lane.dag_limit,
      (used) => `${used} tasks of this DAG are active, maxActiveTasksPerDag is ${lane.dag_limit}`,
    ),
    ...one(
      all,
      parallelism,
      (used) => `${used} tasks of the installation are active, WINDLASS_PARALLELISM is ${parallelism}`,
    ),
  ];
}

function listPoolLimit(lane: Lane, name: string, slots: number | undefined): Limit[] {
  const { pool, pool_slots } = lane;
  const create = `windlass pools set ${pool} ${Math.max(pool_slots, slots ?? 0)}`;
  if (slots === undefined) {
    return [{ name, cost: 1, value: -Infinity, say: () => `there is no pool "${pool}"; create it by "${create}"` }];
  }
  if (slots === -1) return [];
  if (pool_slots > slots) {
    const say = () =>
      `it takes ${pool_slots === 1 ? "1 slot" : `${pool_slots} slots`} and pool "${pool}" has ${slots}; enlarge it by "${create}"`;
    return [{ name, cost: 1, value: -Infinity, say }];
  }
  const need = pool_slots === 1 ? "" : `, and it takes ${pool_slots}`;
  return [
    {
      name,
      cost: pool_slots,
      value: slots,
      say: (used) => `${used} of the ${slots} slots of pool "${pool}" are in use${need}`,
    },
  ];
}

type Counted = Pick<Lane, "run_id" | "dag_id" | "pool" | "task_id" | "key">;

/** The names of what it counts towards, in a fixed order. A run id is a number, and none of the ids holds a space. */
function namesOf({ run_id, dag_id, pool, task_id, key }: Counted) {
  return [
    "all",
    `pool ${pool}`,
    `run ${run_id}`,
    `dag ${dag_id}`,
    `task ${dag_id} ${task_id}`,
    `task-run ${run_id} ${task_id}`,
    `key ${dag_id} ${task_id} ${key}`,
  ] as const;
}

function sayHolders(held: { names: string[]; active: number } | undefined): string {
  if (!held) return "";
  const more = held.active - held.names.length;
  return ` (by ${held.names.join(", ")}${more > 0 ? ` and ${more} more` : ""})`;
}
