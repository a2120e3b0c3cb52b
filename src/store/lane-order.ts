// Lanes in the order of their best instances. A head is where the best instance of a lane stands among all; it may be gone
// meanwhile, so a head is at worst too early, and put right when its lane has been read.

import type { Lane } from "../core/plan-queue.ts";
import type { Queryable } from "./database.ts";

/** Where an instance stands among all that wait, compared from left to right. Instants are microseconds, as numbers. */
export type Place = [rank: number, date: number, map_index: number, scheduled_at: number, id: string];

export interface WaitingLane extends Lane {
  version_id: number;
  /** Its run is running and its DAG not paused. */
  run_state: "running" | "idle" | "paused";
  head_id: string;
  place: Place;
  /** Of the head, in Postgres' own words. */
  cursor: unknown[];
}

/** What closes lanes: nothing that closes one opens within a pass, so others that it closes need not be read. */
export interface ClosedLanes {
  /** The smallest number of slots that is too much, by pool; one list for tasks, one for waits. */
  pools: Map<string, number>;
  waitPools: Map<string, number>;
  dags: Set<string>;
  runs: Set<number>;
  /** DAG and task. */
  tasks: Set<string>;
  /** Run and task. */
  runTasks: Set<string>;
  /** DAG, task and value. */
  keys: Set<string>;
  /** Of these not even waits go on. */
  idleRuns: Set<number>;
  pausedDags: Set<string>;
}

const MICROSECONDS = "* 1000000)::bigint";
// Along the index of heads. One table and no join, so that the order of the index is that of the scan; what is closed by a
// limit of many lanes costs no more than to pass it there.
const LANES = `
  with l as (
    select * from queue_lane
    where is_open and head_rank is not null and is_wait = $1 and cluster = $2
      and (head_rank, head_date, head_map_index, head_scheduled_at, head_id)
        > ($3::int, $4::timestamptz, $5::int, $6::timestamptz, $7::uuid)
      and coalesce(pool_slots < ($9::int[])[array_position($8::text[], pool)], true)
      and run_id <> all ($10::bigint[]) and dag_id <> all ($11::text[])
      and (cardinality($12::text[]) = 0 or dag_id || ' ' || task_id <> all ($12::text[]))
      and (cardinality($13::text[]) = 0 or run_id || ' ' || task_id <> all ($13::text[]))
      and (cardinality($14::text[]) = 0 or dag_id || ' ' || task_id || ' ' || key <> all ($14::text[]))
    order by head_rank, head_date, head_map_index, head_scheduled_at, head_id`;
const DETAILS = `
  select l.id, l.run_id, r.dag_id, r.dag_run_id, r.version_id, l.cluster, l.pool, l.pool_slots, l.task_id, l.key, l.is_wait, l.run_limit,
    l.dag_limit, l.task_limit, l.task_run_limit, l.key_limit, l.head_id, l.head_rank as rank,
    (extract(epoch from l.head_date) ${MICROSECONDS} as date, l.head_map_index as map_index,
    (extract(epoch from l.head_scheduled_at) ${MICROSECONDS} as scheduled_at,
    l.head_date::text as date_text, l.head_scheduled_at::text as scheduled_text,
    case when d.is_paused then 'paused' when r.state <> 'running' then 'idle' else 'running' end as run_state
  from l join dag_run r on r.id = l.run_id join dag d on d.dag_id = r.dag_id
  order by l.head_rank, l.head_date, l.head_map_index, l.head_scheduled_at, l.head_id`;

type Row = Omit<WaitingLane, "place" | "cursor"> & {
  rank: number;
  date: number;
  map_index: number;
  scheduled_at: number;
  date_text: string;
  scheduled_text: string;
};

/** So many lanes are read first, and then. The first are mostly all that is needed, or show what is full. */
export const FIRST_LANES = 32;
export const MORE_LANES = 512;

const CLUSTERS = "select cluster from queue_lane where is_open and head_rank is not null and not is_wait";

/** Those that something waits for. */
export async function readWaitingClusters(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ cluster: string }>({
    name: "waiting_clusters",
    // One probe of the index for each cluster, however many lanes wait for it.
    text: `
      with recursive waiting (cluster) as (
        (${CLUSTERS} order by cluster limit 1)
        union all
        select n.cluster from waiting w
          cross join lateral (${CLUSTERS} and cluster > w.cluster order by cluster limit 1) n)
      select cluster from waiting`,
  });
  return rows.map(({ cluster }) => cluster);
}

/** Lanes in which something waits whose key has room, best first. */
export async function readLanesInOrder(
  tx: Queryable,
  { is_wait, cluster, after }: { is_wait: boolean; cluster: string; after: WaitingLane | null },
  closed: ClosedLanes,
): Promise<WaitingLane[]> {
  const pools = is_wait ? closed.waitPools : closed.pools;
  const limited = <Value>(values: Iterable<Value>, idle: Iterable<Value> = []) =>
    is_wait ? [...idle] : [...values, ...idle];
  const values = [
    is_wait,
    cluster,
    ...(after?.cursor ?? FIRST),
    [...pools.keys()],
    [...pools.values()],
    limited(closed.runs, closed.idleRuns),
    limited(closed.dags, closed.pausedDags),
    limited(closed.tasks),
    limited(closed.runTasks),
    limited(closed.keys),
  ];
  const { rows } = await tx.query<Row>(
    // The number is no parameter: by it Postgres sees that the order of the index is worth following.
    after === null
      ? { name: "first_lanes", text: `${LANES} limit ${FIRST_LANES}) ${DETAILS}`, values }
      : { name: "more_lanes", text: `${LANES} limit ${MORE_LANES}) ${DETAILS}`, values },
  );
  return rows.map(({ rank, date, map_index, scheduled_at, date_text, scheduled_text, ...lane }) => ({
    ...lane,
    place: [rank, date, map_index, scheduled_at, lane.head_id],
    cursor: [rank, date_text, map_index, scheduled_text, lane.head_id],
  }));
}

// Before all: a priority is a 32-bit number, and so is what is made of it here.
const FIRST = [-(2 ** 31), "-infinity", -(2 ** 31), "-infinity", "00000000-0000-0000-0000-000000000000"];

export interface Candidate {
  id: string;
  task_id: string;
  lane_id: number;
  place: Place;
}

/** No more of a lane than it has room for, in the order of priority, logical date and map index. */
export async function readCandidates(
  tx: Queryable,
  lanes: readonly { id: number; room: number }[],
  limit: number,
): Promise<Candidate[]> {
  if (lanes.length === 0) return [];
  const { rows } = await tx.query<Omit<Row, "id"> & { id: string; lane_id: number }>({
    name: "queue_candidates",
    text: `
      select c.id, o.id as lane_id, c.task_id, -c.priority_weight as rank,
        (extract(epoch from coalesce(r.logical_date, r.run_after)) ${MICROSECONDS} as date, c.map_index,
        (extract(epoch from c.scheduled_at) ${MICROSECONDS} as scheduled_at
      from unnest($1::bigint[], $2::int[]) as o (id, room)
        join queue_lane l on l.id = o.id join dag_run r on r.id = l.run_id
        cross join lateral (
          select t.id, t.task_id, t.priority_weight, t.map_index, t.scheduled_at from task_instance t
          where t.lane_id = o.id and t.state = 'scheduled'
          order by t.priority_weight desc, t.map_index, t.scheduled_at, t.id limit o.room) c
      order by c.priority_weight desc, coalesce(r.logical_date, r.run_after), c.map_index, c.scheduled_at, c.id limit $3`,
    values: [lanes.map(({ id }) => id), lanes.map(({ room }) => room), limit],
  });
  return rows.map(({ id, task_id, lane_id, rank, date, map_index, scheduled_at }) => ({
    id,
    task_id,
    lane_id,
    place: [rank, date, map_index, scheduled_at, id],
  }));
}

export function comparePlaces(a: Place, b: Place): number {
  for (const [index, value] of a.entries()) {
    const other = b[index];
    if (other === undefined || value === other) continue;
    return value < other ? -1 : 1;
  }
  return 0;
}

/** After something has left these lanes. */
export async function putHeadsRight(tx: Queryable, laneIds: readonly number[]): Promise<void> {
  if (laneIds.length === 0) return;
  await tx.query({
    name: "put_heads_right",
    text: `
      update queue_lane l set head_rank = h.rank, head_date = h.date, head_map_index = h.map_index,
        head_scheduled_at = h.scheduled_at, head_id = h.id
      from unnest($1::bigint[]) as o (id)
        join queue_lane known on known.id = o.id join dag_run r on r.id = known.run_id
        left join lateral (
          select -t.priority_weight as rank, coalesce(r.logical_date, r.run_after) as date, t.map_index, t.scheduled_at, t.id
          from task_instance t where t.lane_id = o.id and t.state = 'scheduled'
          order by t.priority_weight desc, t.map_index, t.scheduled_at, t.id limit 1) h on true
      where l.id = o.id and (l.head_rank, l.head_date, l.head_map_index, l.head_scheduled_at, l.head_id)
        is distinct from (h.rank, h.date, h.map_index, h.scheduled_at, h.id)`,
    values: [laneIds],
  });
}

/** Under the lock of queueing: makes all heads anew from the instances. Returns the lanes in which something waits. */
export async function remakeHeads(tx: Queryable): Promise<{ dag_id: string; task_id: string; key: string }[]> {
  const { rows } = await tx.query<{ id: number; dag_id: string; task_id: string; key: string }>({
    name: "waiting_lanes",
    // One probe of the index for each lane, whatever waits in it.
    text: `
      with recursive waiting (lane_id) as (
        (select lane_id from task_instance where state = 'scheduled' and lane_id is not null order by lane_id limit 1)
        union all
        select n.lane_id from waiting w cross join lateral (
          select t.lane_id from task_instance t
          where t.state = 'scheduled' and t.lane_id is not null and t.lane_id > w.lane_id order by t.lane_id limit 1) n),
      told as (
        update queue_lane l set dag_id = r.dag_id from dag_run r, waiting w
        where l.id = w.lane_id and r.id = l.run_id and l.dag_id is null returning l.id)
      select l.id, r.dag_id, l.task_id, l.key
      from (select lane_id as id from waiting union select id from queue_lane where head_rank is not null) w
        join queue_lane l on l.id = w.id join dag_run r on r.id = l.run_id`,
  });
  await putHeadsRight(
    tx,
    rows.map(({ id }) => id),
  );
  return rows.filter(({ key }) => key !== "");
}
