// Who did what when, in the REST API.

import { z } from "zod";
import { instant, orderByQuery, pageQuery, queryInteger, rangeQuery } from "./rest.ts";

export const EVENT_ORDER_FIELDS = ["event_log_id", "when", "event", "dag_id", "task_id", "run_id", "owner"] as const;
export const EVENT_RANGE_FIELDS = ["when"] as const;

export const eventsQuery = z.strictObject({
  ...pageQuery,
  ...rangeQuery(EVENT_RANGE_FIELDS),
  dag_id: z.string().optional(),
  run_id: z.string().optional(),
  map_index: queryInteger(-1, 2 ** 31 - 1).optional(),
  owner: z.string().optional(),
  event: z.string().optional(),
  order_by: orderByQuery(EVENT_ORDER_FIELDS),
  task_id: z.array(z.string()).max(1_000).optional(),
});
export const eventPath = z.strictObject({ event_log_id: queryInteger(0, Number.MAX_SAFE_INTEGER) });

export const eventAnswer = z
  .object({
    event_log_id: z.int(),
    when: instant,
    event: z.string(),
    dag_id: z.string().nullable(),
    dag_display_name: z.string().nullable(),
    run_id: z.string().nullable(),
    task_id: z.string().nullable(),
    map_index: z.int().nullable(),
    try_number: z.int().nullable(),
    logical_date: instant.nullable(),
    /** Who was signed in; null: nobody had to. */
    owner: z.string().nullable(),
    /** What was asked for and what it changed, as JSON. */
    extra: z.string().nullable(),
  })
  .meta({ id: "EventLog" });
export type EventAnswer = z.infer<typeof eventAnswer>;
export const eventsAnswer = z
  .object({ event_logs: z.array(eventAnswer), total_entries: z.int() })
  .meta({ id: "EventLogCollection" });
