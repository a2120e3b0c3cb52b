// Pools: how many slots there are, and what uses them.

import { failure } from "../core/errors.ts";
import { DEFAULT_POOL } from "../core/task-lane.ts";
import type { Database, Queryable } from "./database.ts";
import { buildOrder, type Ordering, type Page, type PageSize, readPage, splitPattern } from "./read-page.ts";
import { notifyWork } from "./wake-up.ts";

export interface Pool {
  name: string;
  /** -1: no limit. */
  slots: number;
  description: string | null;
  include_deferred: boolean;
}

/** In slots, not in instances. */
export interface PoolRow extends Pool {
  queued: number;
  running: number;
  scheduled: number;
  deferred: number;
}

export type PoolOrderField = "name" | "slots";
const ORDER: Record<PoolOrderField, string> = { name: "p.name", slots: "p.slots" };
const COLUMNS = `p.name, p.slots, p.description, p.include_deferred, coalesce(u.queued, 0)::integer as queued,
  coalesce(u.running, 0)::integer as running, coalesce(u.scheduled, 0)::integer as scheduled,
  coalesce(u.deferred, 0)::integer as deferred`;
// Each part stands on a partial index of its states. What an earlier release queued has no lane.
const USAGE = `left join (
  select coalesce(l.pool, 'default_pool') as pool, sum(n.queued * coalesce(l.pool_slots, 1)) as queued,
    sum(n.running * coalesce(l.pool_slots, 1)) as running, sum(n.scheduled * l.pool_slots) as scheduled,
    sum(n.deferred * coalesce(l.pool_slots, 1)) as deferred
  from (
    select lane_id, count(*) filter (where state = 'queued') as queued, count(*) filter (where state = 'running') as running,
      0 as scheduled, 0 as deferred
    from task_instance where state in ('queued', 'running') group by lane_id
    union all
    select lane_id, 0, 0, count(*), 0 from task_instance
    where state = 'scheduled' and lane_id is not null group by lane_id
    union all
    select lane_id, 0, 0, 0, count(*) from task_instance where state = 'deferred' group by lane_id) n
    left join queue_lane l on l.id = n.lane_id
  group by 1) u on u.pool = p.name`;

export interface PoolFilter extends PageSize {
  pattern: string | undefined;
  order: Ordering<PoolOrderField>[];
}

export async function listPools(db: Queryable, filter: PoolFilter): Promise<Page<PoolRow>> {
  return readPage<PoolRow>(db, {
    columns: COLUMNS,
    from: "slot_pool p",
    details: USAGE,
    conditions: [{ sql: "p.name ilike any ($::text[])", value: splitPattern(filter.pattern) }],
    order: buildOrder(ORDER, [], filter.order, "p.name", "p.name"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export async function readPools(db: Queryable): Promise<PoolRow[]> {
  const { rows } = await db.query<PoolRow>({
    name: "read_pools",
    text: `select ${COLUMNS} from slot_pool p ${USAGE} order by p.name`,
  });
  return rows;
}

/** Errors: not_found. */
export async function readPool(db: Queryable, name: string): Promise<PoolRow> {
  const { rows } = await db.query<PoolRow>({
    name: "read_pool",
    text: `select ${COLUMNS} from slot_pool p ${USAGE} where p.name = $1`,
    values: [name],
  });
  const row = rows[0];
  if (!row) throw missing(name);
  return row;
}

/** Errors: already_exists. */
export async function createPool(db: Database, pool: Pool): Promise<PoolRow> {
  return db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "create_pool",
      text: `insert into slot_pool (name, slots, description, include_deferred) values ($1, $2, $3, $4)
        on conflict (name) do nothing`,
      values: [pool.name, pool.slots, pool.description, pool.include_deferred],
    });
    if (rowCount === 0) throw failure("already_exists", `there is a pool "${pool.name}" already; change it with PATCH`);
    await notifyWork(tx, "queue");
    return readPool(tx, pool.name);
  });
}

export type PoolChange = { [Field in Exclude<keyof Pool, "name">]?: Pool[Field] | undefined };

/** What is undefined stays. Errors: not_found. */
export async function changePool(db: Database, name: string, change: PoolChange): Promise<PoolRow> {
  return db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "change_pool",
      text: `update slot_pool set slots = coalesce($2, slots), include_deferred = coalesce($3, include_deferred),
          description = case when $4 then $5 else description end
        where name = $1`,
      values: [name, change.slots, change.include_deferred, change.description !== undefined, change.description],
    });
    if (rowCount === 0) throw missing(name);
    await notifyWork(tx, "queue");
    return readPool(tx, name);
  });
}

/** What waits for it goes on waiting, and says so. Errors: not_found, invalid_request. */
export async function deletePool(db: Queryable, name: string): Promise<void> {
  if (name === DEFAULT_POOL) {
    throw failure("invalid_request", `pool "${DEFAULT_POOL}" cannot be deleted: tasks without a pool use it`);
  }
  const { rowCount } = await db.query({
    name: "delete_pool",
    text: "delete from slot_pool where name = $1",
    values: [name],
  });
  if (rowCount === 0) throw missing(name);
  await notifyWork(db, "queue");
}

function missing(name: string): Error {
  return failure("not_found", `there is no pool "${name}"`);
}
