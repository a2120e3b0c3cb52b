// The events of assets that a run consumed, as its tasks read them.

import type { ConsumedEvent } from "../core/asset-events.ts";
import type { Queryable } from "./database.ts";

/** A task is given the newest; the API shows all. */
const MAX_EVENTS = 1_000;

/** In the order in which they were written. */
export async function readConsumedEvents(db: Queryable, runKey: number): Promise<ConsumedEvent[]> {
  const { rows } = await db.query<Omit<ConsumedEvent, "timestamp"> & { timestamp: Date }>({
    name: "read_consumed_events",
    text: `
      select asset, uri, extra, "timestamp", source_dag_id, source_run_id, source_task_id, source_map_index
      from (
        select e.*, a.name as asset, a.uri
        from dag_run_asset_event c join asset_event e on e.id = c.event_id join asset a on a.id = e.asset_id
        where c.run_id = $1 order by c.event_id desc limit $2) newest
      order by id`,
    values: [runKey, MAX_EVENTS],
  });
  return rows.map(({ timestamp, ...event }) => ({ ...event, timestamp: timestamp.toISOString() }));
}
