// Who did what when: written in the transaction that did it, never changed.

import type { JsonObject } from "../core/json.ts";
import type { Queryable } from "./database.ts";
import {
  buildOrder,
  buildRanges,
  type Ordering,
  type Page,
  type PageSize,
  type RangeFilter,
  readPage,
} from "./read-page.ts";

export interface NewEvent {
  event: string;
  dag_id: string | null;
  dag_run_id?: string | null;
  task_id?: string | null;
  map_index?: number | null;
  /** Who is signed in; null: nobody had to. */
  owner: string | null;
  extra?: JsonObject;
}

export async function recordEvents(tx: Queryable, events: readonly NewEvent[], now: Date): Promise<void> {
  if (events.length === 0) return;
  await tx.query({
    name: "record_events",
    text: `
      insert into event_log ("when", event, dag_id, dag_run_id, task_id, map_index, try_number, logical_date, owner, extra)
      select $1, e.event, e.dag_id, e.dag_run_id, e.task_id, e.map_index, t.try_number, r.logical_date, e.owner, e.extra::jsonb
      from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[])
        with ordinality as e (event, dag_id, dag_run_id, task_id, map_index, owner, extra, place)
        left join dag_run r on r.dag_id = e.dag_id and r.dag_run_id = e.dag_run_id
        left join task_instance t on t.run_id = r.id and t.task_id = e.task_id and t.map_index = coalesce(e.map_index, -1)
      order by e.place`,
    values: [
      now,
      events.map((event) => event.event),
      events.map((event) => event.dag_id),
      events.map((event) => event.dag_run_id ?? null),
      events.map((event) => event.task_id ?? null),
      events.map((event) => event.map_index ?? null),
      events.map((event) => event.owner),
      events.map((event) => (event.extra === undefined ? null : JSON.stringify(event.extra))),
    ],
  });
}

export interface EventRow {
  id: number;
  when: Date;
  event: string;
  dag_id: string | null;
  dag_run_id: string | null;
  task_id: string | null;
  map_index: number | null;
  try_number: number | null;
  logical_date: Date | null;
  owner: string | null;
  extra: JsonObject | null;
}

export type EventOrderField = "event_log_id" | "when" | "event" | "dag_id" | "task_id" | "run_id" | "owner";

export interface EventFilter extends PageSize {
  /** undefined: any. */
  id?: number | undefined;
  dag_id?: string | undefined;
  run_id?: string | undefined;
  task_ids?: string[] | undefined;
  map_index?: number | undefined;
  owner?: string | undefined;
  event?: string | undefined;
  ranges: RangeFilter<"when">[];
  order: Ordering<EventOrderField>[];
}

const ORDER: Record<EventOrderField, string> = {
  event_log_id: "e.id",
  when: 'e."when"',
  event: "e.event",
  dag_id: "e.dag_id",
  task_id: "e.task_id",
  run_id: "e.dag_run_id",
  owner: "e.owner",
};

export async function listEvents(db: Queryable, filter: EventFilter): Promise<Page<EventRow>> {
  return readPage<EventRow>(db, {
    columns: `e.id, e."when", e.event, e.dag_id, e.dag_run_id, e.task_id, e.map_index, e.try_number, e.logical_date, e.owner, e.extra`,
    from: "event_log e",
    conditions: [
      { sql: "e.id = $", value: filter.id },
      { sql: "e.dag_id = $", value: filter.dag_id },
      { sql: "e.dag_run_id = $", value: filter.run_id },
      { sql: "e.task_id = any ($::text[])", value: filter.task_ids },
      { sql: "e.map_index = $", value: filter.map_index },
      { sql: "e.owner = $", value: filter.owner },
      { sql: "e.event = $", value: filter.event },
      ...buildRanges({ when: 'e."when"' }, filter.ranges),
    ],
    order: buildOrder(ORDER, ["dag_id", "task_id", "run_id", "owner"], filter.order, "e.id desc", "e.id desc"),
    limit: filter.limit,
    offset: filter.offset,
  });
}
