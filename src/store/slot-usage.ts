// How much of each limit is in use. The instances are the truth; what is kept beside them follows the rows that a trigger adds
// for each slot taken or left (queue_change), and is made anew from the instances every few minutes, so that no fault in it lasts.

import { countOccupants, nameKey, type Occupant, type SlotPool } from "../core/plan-queue.ts";
import { DEFAULT_POOL } from "../core/task-lane.ts";
import type { Queryable } from "./database.ts";

/** A value of a task's concurrency key. */
export interface TaskKey {
  dag_id: string;
  task_id: string;
  key: string;
}

const OCCUPANT = `t.run_id, r.dag_id, r.dag_run_id, t.task_id, coalesce(l.cluster, '') as cluster,
  coalesce(l.pool, '${DEFAULT_POOL}') as pool, coalesce(l.pool_slots, 1) as pool_slots, coalesce(l.key, '') as key`;
const JOINS = "join dag_run r on r.id = t.run_id left join queue_lane l on l.id = t.lane_id";
const GROUPS = "t.run_id, r.dag_id, r.dag_run_id, t.task_id, l.cluster, l.pool, l.pool_slots, l.key";
// By index, no more than parallelism allows. What an earlier release queued has no lane.
const OCCUPANTS = `
  select ${OCCUPANT}, (count(*) filter (where t.state <> 'deferred'))::integer as active,
    (count(*) filter (where t.state = 'deferred'))::integer as deferred
  from (
      select run_id, task_id, lane_id, state from task_instance where state in ('queued', 'running')
      union all
      select run_id, task_id, lane_id, state from task_instance where state = 'deferred') t
    ${JOINS}
  group by ${GROUPS}`;

/** For whoever names the holders of slots. Costs what is active. */
export async function readOccupants(db: Queryable): Promise<Occupant[]> {
  const { rows } = await db.query<Occupant>({
    name: "queue_occupants",
    // Whoever asks again is told the same names.
    text: `${OCCUPANTS} order by t.run_id, t.task_id`,
  });
  return rows;
}

export async function readSlotPools(db: Queryable): Promise<SlotPool[]> {
  const { rows } = await db.query<SlotPool>({
    name: "queue_pools",
    text: "select name, slots, include_deferred from slot_pool",
  });
  return rows;
}

export async function readUsage(db: Queryable, names: readonly string[]): Promise<Map<string, number>> {
  if (names.length === 0) return new Map();
  const { rows } = await db.query<{ name: string; used: number }>({
    name: "queue_usage",
    text: "select name, used from queue_usage where name = any ($1)",
    values: [names],
  });
  return new Map(rows.map(({ name, used }) => [name, used]));
}

/** Under the lock of queueing: brings usage up to now. Returns the keys whose use has changed. */
export async function followChanges(tx: Queryable): Promise<TaskKey[]> {
  const { rows } = await tx.query<Occupant>({
    name: "take_queue_changes",
    // Those of a run that is gone meanwhile are not known any more, until all is counted anew.
    text: `
      with t as (delete from queue_change returning *)
      select ${OCCUPANT}, sum(t.active)::integer as active, sum(t.deferred)::integer as deferred
      from t ${JOINS} group by ${GROUPS}`,
  });
  await growUsage(tx, countOccupants(rows).used);
  return rows.filter(({ key }) => key !== "");
}

/** Under the lock of queueing: makes usage anew from the instances. */
export async function recountUsage(tx: Queryable): Promise<void> {
  const { rows } = await tx.query<Occupant>({
    name: "recount_usage",
    // One statement, so that what it counts and the changes that are in it already are seen at one instant.
    text: `with gone as (delete from queue_change) ${OCCUPANTS}`,
  });
  await tx.query({ name: "forget_usage", text: "delete from queue_usage" });
  await growUsage(tx, countOccupants(rows).used);
}

async function growUsage(tx: Queryable, by: ReadonlyMap<string, number>): Promise<void> {
  const growth = new Map([...by].filter(([, slots]) => slots !== 0));
  if (growth.size === 0) return;
  const { rows } = await tx.query<{ name: string }>({
    name: "grow_usage",
    text: `
      with grown as (
        insert into queue_usage as u (name, used) select * from unnest($1::text[], $2::int[])
        on conflict (name) do update set used = u.used + excluded.used returning name, used)
      select name from grown where used = 0`,
    values: [[...growth.keys()], [...growth.values()]],
  });
  if (rows.length === 0) return;
  await tx.query({
    name: "forget_unused",
    text: "delete from queue_usage where name = any ($1)",
    values: [rows.map(({ name }) => name)],
  });
}

// Closing and opening lanes one by one is for keys of few lanes. Of a key in which more wait, one lane is read, and shows that
// it is full, like any other limit of many lanes.
const FEW_LANES = 100;

/** Under the lock of queueing: opens the lanes of keys that have room, and closes those of keys that are full. */
export async function judgeKeys(tx: Queryable, keys: readonly TaskKey[]): Promise<void> {
  if (keys.length === 0) return;
  const byName = new Map(keys.map((key) => [nameKey(key), key]));
  const used = await readUsage(tx, [...byName.keys()]);
  const distinct = [...byName].map(([name, key]) => ({ ...key, used: used.get(name) ?? 0 }));
  const values = [
    distinct.map(({ dag_id }) => dag_id),
    distinct.map(({ task_id }) => task_id),
    distinct.map(({ key }) => key),
    distinct.map((each) => each.used),
  ];
  await tx.query({
    name: "open_keys",
    text: `
      update queue_lane l set is_open = true from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as k (dag_id, task_id, key, used)
      where l.dag_id = k.dag_id and l.task_id = k.task_id and l.key = k.key and not l.is_open and l.key <> ''
        and l.head_rank is not null and k.used < coalesce(l.key_limit, k.used + 1)`,
    values,
  });
  await tx.query({
    name: "close_keys",
    text: `
      update queue_lane l set is_open = false
      from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as k (dag_id, task_id, key, used)
        cross join lateral (
          select array_agg(few.id) as ids from (
            select id from queue_lane where dag_id = k.dag_id and task_id = k.task_id and key = k.key and key <> ''
              and head_rank is not null limit ${FEW_LANES} + 1) few) waiting
      where l.id = any (waiting.ids) and cardinality(waiting.ids) <= ${FEW_LANES} and l.is_open and k.used >= l.key_limit`,
    values,
  });
}
