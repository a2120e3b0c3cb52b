// Which waiting instances may be queued now. An instance waits in a lane: all of one lane count towards the same limits, so
// a limit closes lanes, and candidates are read of open lanes alone. Whoever is held back never stands in another's way.

import { clause } from "./phrase.ts";

/** The limits that an instance counts towards; null is no limit. */
export interface Lane {
  id: number;
  run_id: number;
  dag_id: string;
  dag_run_id: string;
  /** That it runs in; "": the installation's own. */
  cluster: string;
  pool: string;
  pool_slots: number;
  /** "": nothing sets it apart from the others of its run and pool. */
  task_id: string;
  /** "": none. */
  key: string;
  /** Of a task that waits without a pod: only a pool that includes what is deferred limits it. */
  is_wait: boolean;
  run_limit: number;
  dag_limit: number | null;
  task_limit: number | null;
  task_run_limit: number | null;
  key_limit: number | null;
}

/** What an instance counts towards, whichever of it is limited. */
export type Counted = Pick<Lane, "run_id" | "dag_id" | "cluster" | "pool" | "task_id" | "key">;

/** Instances that are alike: how many are queued or running, and how many deferred. */
export type Occupant = Counted & Pick<Lane, "dag_run_id" | "pool_slots"> & { active: number; deferred: number };

export interface SlotPool {
  name: string;
  /** -1: no limit. */
  slots: number;
  /** Whether the slots of deferred instances count. */
  include_deferred: boolean;
}

export interface Usage {
  /** By the name of a limit; what is missing is not in use. */
  used: ReadonlyMap<string, number>;
  /** Who is named as before others. */
  holders?: ReadonlyMap<string, Holders>;
}

export interface Holders {
  names: string[];
  active: number;
}

/** How many instances may be active at once. */
export interface Parallelism {
  /** In the installation's own cluster. */
  parallelism: number;
  /** In others, by name; what is missing has as much as the installation's own. */
  clusterParallelism?: ReadonlyMap<string, number>;
}

export interface QueueState extends Usage, Parallelism {
  pools: readonly SlotPool[];
}

/** Kinds of limits. */
export type LimitKind = "all" | "pool" | "dag" | "run" | "task" | "task_run" | "key";

/** Limits as they fill up. */
export interface QueueLimits {
  /** How many instances of the lane could be queued if it were alone. */
  headroom(lane: Lane): number;
  /** Queues one more of the lane, an instance of this task, unless a limit forbids it. */
  take(lane: Lane, taskId: string): boolean;
  /** The names of what counts for the lane and has not been learnt. */
  lacks(lane: Lane): string[];
  /** What is in use of these; those that are missing are not. */
  learn(names: readonly string[], used: Usage["used"]): void;
  /** A limit that is full, that of most lanes if there are several; null: it is open. */
  closedBy(lane: Lane): LimitKind | null;
  /** Why the lane is closed: the limit, its value, and who is before it; null: it is open. */
  explain(lane: Lane): string | null;
}

interface Limit {
  kind: LimitKind;
  name: string;
  /** Slots that one instance takes. */
  cost: number;
  value: number;
  say: (used: number) => string;
}

const HOLDERS = 2;
const WIDEST_FIRST: readonly LimitKind[] = ["all", "pool", "dag", "run", "task", "task_run", "key"];

export function createQueueLimits({ pools, used: given, holders, ...parallelism }: QueueState): QueueLimits {
  const byName = new Map(pools.map((pool) => [pool.name, pool]));
  const used = new Map(given);
  const learnt = new Set(given.keys());
  // Each lane is asked several times, and there may be thousands.
  const known = new Map<Lane, Limit[]>();
  const limitsOf = (lane: Lane) => {
    const limits = known.get(lane) ?? listLimits(lane, byName.get(lane.pool), parallelism);
    known.set(lane, limits);
    return limits;
  };
  const inUse = ({ name, kind }: Limit, lane: Lane) => {
    const deferred = kind === "pool" && byName.get(lane.pool)?.include_deferred ? nameDeferred(lane.pool) : "";
    return (used.get(name) ?? 0) + (used.get(deferred) ?? 0);
  };
  const free = (limit: Limit, lane: Lane) => Math.floor((limit.value - inUse(limit, lane)) / limit.cost);
  const isFull = (lane: Lane) => (limit: Limit) => free(limit, lane) < 1;
  return {
    headroom: (lane) => Math.max(0, Math.min(...limitsOf(lane).map((limit) => free(limit, lane)))),
    take: (lane, taskId) => {
      if (limitsOf(lane).some(isFull(lane))) return false;
      const taken = lane.is_wait ? { active: 0, deferred: 1 } : { active: 1, deferred: 0 };
      for (const [name, slots] of countSlots({ ...lane, task_id: taskId, ...taken }))
        used.set(name, (used.get(name) ?? 0) + slots);
      return true;
    },
    lacks: (lane) => [...listNames(lane), nameDeferred(lane.pool)].filter((name) => !learnt.has(name)),
    learn: (names, more) => {
      for (const name of names) {
        // Some of it may have been taken before.
        if (!learnt.has(name)) used.set(name, (used.get(name) ?? 0) + (more.get(name) ?? 0));
        learnt.add(name);
      }
    },
    closedBy: (lane) => {
      const full = limitsOf(lane).filter(isFull(lane));
      return WIDEST_FIRST.find((kind) => full.some((limit) => limit.kind === kind)) ?? null;
    },
    explain: (lane) => {
      const full = limitsOf(lane).find(isFull(lane));
      if (!full) return null;
      return `waits for a slot: ${full.say(inUse(full, lane))}${sayHolders(holders?.get(full.name))}`;
    },
  };
}

/** What instances use of each limit, and who is named for it. */
export function countOccupants(occupants: readonly Occupant[]): {
  used: Map<string, number>;
  holders: Map<string, Holders>;
} {
  const used = new Map<string, number>();
  const holders = new Map<string, Holders>();
  for (const occupant of occupants) {
    for (const [name, slots] of countSlots(occupant)) used.set(name, (used.get(name) ?? 0) + slots);
    if (occupant.active === 0) continue;
    for (const name of listNames(occupant)) {
      const held = holders.get(name) ?? { names: [], active: 0 };
      if (held.names.length < HOLDERS) held.names.push(`"${occupant.task_id}" of run "${clause(occupant.dag_run_id)}"`);
      held.active += occupant.active;
      holders.set(name, held);
    }
  }
  return { used, holders };
}

/** What so many instances take of each limit, by name. */
export function countSlots(of: Omit<Occupant, "dag_run_id">): [string, number][] {
  return [
    ...listNames(of).map((name): [string, number] => [
      name,
      name === namePool(of.pool) ? of.active * of.pool_slots : of.active,
    ]),
    [nameDeferred(of.pool), of.deferred * of.pool_slots],
  ];
}

/** In the order in which a reason is looked for: what an author can change first. */
function listLimits(lane: Lane, of: SlotPool | undefined, limits: Parallelism): Limit[] {
  const [all, pool, run, dag, task, taskRun, key] = namesOf(lane);
  if (lane.is_wait) return of?.include_deferred ? listPoolLimit(lane, pool, of.slots) : [];
  const atOnce = limits.clusterParallelism?.get(lane.cluster) ?? limits.parallelism;
  const one = (kind: Limit["kind"], name: string, value: number | null, say: Limit["say"]): Limit[] =>
    value === null ? [] : [{ kind, name, cost: 1, value, say }];
  return [
    ...listPoolLimit(lane, pool, of?.slots),
    ...one(
      "task_run",
      taskRun,
      lane.task_run_limit,
      (used) => `${used} of task "${lane.task_id}" are active in this run, maxActivePerRun is ${lane.task_run_limit}`,
    ),
    ...one(
      "task",
      task,
      lane.task_limit,
      (used) => `${used} of task "${lane.task_id}" are active in all runs, maxActive is ${lane.task_limit}`,
    ),
    ...one(
      "key",
      key,
      lane.key_limit,
      (used) =>
        `${used} of task "${lane.task_id}" are active for "${clause(lane.key)}", the limit of its concurrency is ${lane.key_limit}`,
    ),
    ...one(
      "run",
      run,
      lane.run_limit,
      (used) => `${used} tasks of this run are active, max_active_tasks is ${lane.run_limit}`,
    ),
    ...one(
      "dag",
      dag,
      lane.dag_limit,
      (used) => `${used} tasks of this DAG are active, maxActiveTasksPerDag is ${lane.dag_limit}`,
    ),
    ...one("all", all, atOnce, (used) =>
      lane.cluster === ""
        ? `${used} tasks of the installation are active, WINDLASS_PARALLELISM is ${atOnce}`
        : `${used} tasks are active in cluster "${lane.cluster}", its parallelism is ${atOnce}`,
    ),
  ];
}

function listPoolLimit(lane: Lane, name: string, slots: number | undefined): Limit[] {
  const { pool, pool_slots } = lane;
  const create = `windlass pools set ${pool} ${Math.max(pool_slots, slots ?? 0)}`;
  if (slots === undefined) {
    return [
      {
        kind: "pool",
        name,
        cost: 1,
        value: -Infinity,
        say: () => `there is no pool "${pool}"; create it by "${create}"`,
      },
    ];
  }
  if (slots === -1) return [];
  if (pool_slots > slots) {
    const say = () =>
      `it takes ${pool_slots === 1 ? "1 slot" : `${pool_slots} slots`} and pool "${pool}" has ${slots}; enlarge it by "${create}"`;
    return [{ kind: "pool", name, cost: 1, value: -Infinity, say }];
  }
  const need = pool_slots === 1 ? "" : `, and it takes ${pool_slots}`;
  return [
    {
      kind: "pool",
      name,
      cost: pool_slots,
      value: slots,
      say: (used) => `${used} of the ${slots} slots of pool "${pool}" are in use${need}`,
    },
  ];
}

/** The names of what it counts towards, in a fixed order. A run id is a number, and none of the ids holds a space. */
function namesOf({ run_id, dag_id, cluster, pool, task_id, key }: Counted) {
  return [
    cluster === "" ? "all" : `all ${cluster}`,
    namePool(pool),
    `run ${run_id}`,
    `dag ${dag_id}`,
    `task ${dag_id} ${task_id}`,
    `task-run ${run_id} ${task_id}`,
    nameKey({ dag_id, task_id, key }),
  ] as const;
}

/** Without what is never limited. */
function listNames(of: Counted): readonly string[] {
  const names = namesOf(of);
  return of.key === "" ? names.slice(0, -1) : names;
}

export function nameKey({ dag_id, task_id, key }: Pick<Counted, "dag_id" | "task_id" | "key">): string {
  return `key ${dag_id} ${task_id} ${key}`;
}

function namePool(pool: string): string {
  return `pool ${pool}`;
}

function nameDeferred(pool: string): string {
  return `deferred ${pool}`;
}

function sayHolders(held: Holders | undefined): string {
  if (!held) return "";
  const more = held.active - held.names.length;
  return ` (by ${held.names.join(", ")}${more > 0 ? ` and ${more} more` : ""})`;
}
