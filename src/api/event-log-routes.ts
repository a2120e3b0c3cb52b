// Who did what when.

import {
  EVENT_RANGE_FIELDS,
  type EventAnswer,
  eventAnswer,
  eventPath,
  eventsAnswer,
  eventsQuery,
} from "../contract/rest-event-logs.ts";
import { parseOrdering, parseRanges } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { type EventRow, listEvents } from "../store/event-log.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { isoOf } from "./present-date.ts";

const tags = ["EventLog"];

export function addEventLogRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    "/eventLogs",
    {
      schema: {
        tags,
        operationId: "get_event_logs",
        summary: "List what people did, the newest first",
        querystring: eventsQuery,
        response: { 200: eventsAnswer },
      },
    },
    async ({ query }) => {
      const { task_id, order_by, ...filter } = query;
      const page = await listEvents(db, {
        ...filter,
        task_ids: task_id,
        ranges: parseRanges(EVENT_RANGE_FIELDS, query),
        order: parseOrdering(order_by),
      });
      return { event_logs: page.rows.map(presentEvent), total_entries: page.total };
    },
  );

  app.get(
    "/eventLogs/:event_log_id",
    {
      schema: {
        tags,
        operationId: "get_event_log",
        summary: "Show one thing that someone did",
        params: eventPath,
        querystring: emptyQuery,
        response: { 200: eventAnswer },
      },
    },
    async ({ params }) => {
      const page = await listEvents(db, { id: params.event_log_id, ranges: [], order: [], limit: 1, offset: 0 });
      const [row] = page.rows;
      if (!row) throw failure("not_found", `there is no event ${params.event_log_id}`);
      return presentEvent(row);
    },
  );
}

function presentEvent(row: EventRow): EventAnswer {
  return {
    event_log_id: row.id,
    when: row.when.toISOString(),
    event: row.event,
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    run_id: row.dag_run_id,
    task_id: row.task_id,
    map_index: row.map_index,
    try_number: row.try_number,
    logical_date: isoOf(row.logical_date),
    owner: row.owner,
    extra: row.extra === null ? null : JSON.stringify(row.extra),
  };
}
