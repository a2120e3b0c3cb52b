// Assets and their events as people see them.

import type { AssetCondition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunState } from "../core/states.ts";
import type { Queryable } from "./database.ts";
import {
  buildOrder,
  buildRanges,
  type Ordering,
  type Page,
  type PageSize,
  type RangeFilter,
  readPage,
  splitPattern,
} from "./read-page.ts";

export interface AssetRow {
  id: number;
  name: string;
  uri: string;
  group: string;
  extra: JsonObject;
  created_at: Date;
  updated_at: Date;
  /** Times inside are ISO 8601, with the offset of the session. */
  scheduled_dags: { dag_id: string; created_at: string }[];
  producing_tasks: { dag_id: string; task_id: string; created_at: string }[];
  last_event_id: number | null;
  last_event_at: Date | null;
}

export type AssetOrderField = "id" | "name" | "uri" | "created_at" | "updated_at";
const ASSET_ORDER: Record<AssetOrderField, string> = {
  id: "a.id",
  name: "a.name",
  uri: "a.uri",
  created_at: "a.created_at",
  updated_at: "a.updated_at",
};

const ASSET_COLUMNS = `a.id, a.name, a.uri, a."group", a.extra, a.created_at, a.updated_at, last.id as last_event_id,
  last."timestamp" as last_event_at,
  (select coalesce(json_agg(json_build_object('dag_id', w.dag_id, 'created_at', w.created_at) order by w.dag_id), '[]')
    from dag_asset w join dag d using (dag_id) where w.asset_id = a.id and not d.is_stale) as scheduled_dags,
  (select coalesce(json_agg(json_build_object('dag_id', o.dag_id, 'task_id', o.task_id, 'created_at', o.created_at)
      order by o.dag_id, o.task_id), '[]')
    from task_outlet o join dag d using (dag_id) where o.asset_id = a.id and not d.is_stale) as producing_tasks`;
const LAST_EVENT = `left join lateral (select id, "timestamp" from asset_event e
  where e.asset_id = a.id order by id desc limit 1) last on true`;

export interface AssetFilter extends PageSize {
  id?: number | undefined;
  name?: string | undefined;
  name_pattern?: string | undefined;
  uri_pattern?: string | undefined;
  dag_ids?: string[] | undefined;
  order: Ordering<AssetOrderField>[];
}

export async function listAssetRows(db: Queryable, filter: AssetFilter): Promise<Page<AssetRow>> {
  return readPage<AssetRow>(db, {
    columns: ASSET_COLUMNS,
    from: "asset a",
    details: LAST_EVENT,
    conditions: [
      { sql: "a.id = $", value: filter.id },
      { sql: "a.name = $", value: filter.name },
      { sql: "a.name ilike any ($::text[])", value: splitPattern(filter.name_pattern) },
      { sql: "a.uri ilike any ($::text[])", value: splitPattern(filter.uri_pattern) },
      {
        sql: `a.id in (select asset_id from dag_asset where dag_id = any ($::text[])
          union all select asset_id from task_outlet where dag_id = any ($::text[]))`,
        value: filter.dag_ids,
      },
    ],
    order: buildOrder(ASSET_ORDER, [], filter.order, "a.name", "a.id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export interface AssetEventRow {
  id: number;
  asset_id: number;
  name: string;
  uri: string;
  group: string;
  extra: JsonObject;
  timestamp: Date;
  source_dag_id: string | null;
  source_run_id: string | null;
  source_task_id: string | null;
  source_map_index: number | null;
  created_dagruns: {
    dag_id: string;
    dag_run_id: string;
    state: RunState;
    run_after: string;
    start_date: string | null;
    end_date: string | null;
  }[];
}

export type EventOrderField = "id" | "timestamp";
const EVENT_ORDER: Record<EventOrderField, string> = { id: "e.id", timestamp: 'e."timestamp"' };
const EVENT_COLUMNS = `e.id, e.asset_id, a.name, a.uri, a."group", e.extra, e."timestamp", e.source_dag_id, e.source_run_id,
  e.source_task_id, e.source_map_index,
  (select coalesce(json_agg(json_build_object('dag_id', r.dag_id, 'dag_run_id', r.dag_run_id, 'state', r.state,
      'run_after', r.run_after, 'start_date', r.start_date, 'end_date', r.end_date) order by r.dag_id), '[]')
    from dag_run_asset_event c join dag_run r on r.id = c.run_id where c.event_id = e.id) as created_dagruns`;

export interface AssetEventFilter extends PageSize {
  id?: number | undefined;
  asset_id?: number | undefined;
  source_dag_id?: string | undefined;
  source_run_id?: string | undefined;
  source_task_id?: string | undefined;
  source_map_index?: number | undefined;
  /** Those that this run consumed. */
  consumed_by?: { dag_id: string; dag_run_id: string };
  ranges: RangeFilter<"timestamp">[];
  order: Ordering<EventOrderField>[];
}

export async function listAssetEvents(db: Queryable, filter: AssetEventFilter): Promise<Page<AssetEventRow>> {
  const { consumed_by: run } = filter;
  return readPage<AssetEventRow>(db, {
    columns: EVENT_COLUMNS,
    from: "asset_event e",
    details: "join asset a on a.id = e.asset_id",
    conditions: [
      { sql: "e.id = $", value: filter.id },
      { sql: "e.asset_id = $", value: filter.asset_id },
      { sql: "e.source_dag_id = $", value: filter.source_dag_id },
      { sql: "e.source_run_id = $", value: filter.source_run_id },
      { sql: "e.source_task_id = $", value: filter.source_task_id },
      { sql: "e.source_map_index = $", value: filter.source_map_index },
      {
        sql: `e.id in (select c.event_id from dag_run_asset_event c join dag_run r on r.id = c.run_id
          where (r.dag_id, r.dag_run_id) = (($::text[])[1], ($::text[])[2]))`,
        value: run && [run.dag_id, run.dag_run_id],
      },
      ...buildRanges({ timestamp: 'e."timestamp"' }, filter.ranges),
    ],
    order: buildOrder(EVENT_ORDER, [], filter.order, "e.id desc", "e.id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export interface QueuedEvents {
  asset_id: number;
  name: string;
  created_at: Date;
  events: number;
}

/** What a DAG has not consumed yet; null: there is no such DAG. */
export async function readQueuedEvents(
  db: Queryable,
  dagId: string,
): Promise<{ condition: AssetCondition | null; queued: QueuedEvents[] } | null> {
  const { rows } = await db.query<{ condition: AssetCondition | null } & (QueuedEvents | { asset_id: null })>({
    name: "read_queued_events",
    text: `
      select d.asset_condition as condition, p.asset_id, a.name, min(e."timestamp") as created_at, count(e.id) as events
      from dag d left join asset_pending p using (dag_id) left join asset a on a.id = p.asset_id
        left join asset_event e on e.id = p.event_id
      where d.dag_id = $1 group by d.dag_id, p.asset_id, a.name order by a.name`,
    values: [dagId],
  });
  const [first] = rows;
  if (!first) return null;
  const queued = rows.flatMap((row) => (row.asset_id === null ? [] : [row]));
  return { condition: first.condition, queued };
}
