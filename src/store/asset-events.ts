// Writes events of assets, and hands each to the DAGs that wait for its asset, in the transaction of whatever caused it.

import type { JsonObject } from "../core/json.ts";
import { failure } from "../core/errors.ts";
import type { Database, Queryable } from "./database.ts";
import { notifyWork } from "./wake-up.ts";

export interface NewAssetEvent {
  asset: string;
  extra: JsonObject;
  /** null: from outside. */
  source: AssetEventSource | null;
}

export interface AssetEventSource {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
}

/** Returns the events' ids, in their order. Assets that are not known have no events. */
export async function recordAssetEvents(tx: Queryable, events: readonly NewAssetEvent[], now: Date): Promise<number[]> {
  if (events.length === 0) return [];
  const { rows } = await tx.query<{ id: number }>({
    name: "record_asset_events",
    text: `
      with event as (
        insert into asset_event (asset_id, "timestamp", extra, source_dag_id, source_run_id, source_task_id, source_map_index)
        select a.id, $1::timestamptz, e.extra::jsonb, e.dag_id, e.run_id, e.task_id, e.map_index
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
          with ordinality as e (asset, extra, dag_id, run_id, task_id, map_index, place) join asset a on a.name = e.asset
        order by e.place
        returning id, asset_id),
      -- The lock keeps a new version from ceasing to wait in between; in one order, so that no two wait for each other.
      consumer as (
        select dag_id, asset_id from dag_asset where asset_id in (select asset_id from event)
        order by dag_id, asset_id for key share),
      pending as (
        insert into asset_pending (dag_id, asset_id, event_id)
        select consumer.dag_id, event.asset_id, event.id from event join consumer using (asset_id))
      select id from event order by id`,
    values: [
      now,
      events.map((event) => event.asset),
      events.map((event) => JSON.stringify(event.extra)),
      events.map((event) => event.source?.dag_id ?? null),
      events.map((event) => event.source?.run_id ?? null),
      events.map((event) => event.source?.task_id ?? null),
      events.map((event) => event.source?.map_index ?? null),
    ],
  });
  await notifyWork(tx, "runs");
  return rows.map((row) => row.id);
}

/** An event from outside. Errors: not_found. */
export async function emitAssetEvent(db: Database, assetId: number, extra: JsonObject, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ name: string }>({
      name: "read_asset_name",
      text: "select name from asset where id = $1",
      values: [assetId],
    });
    const asset = rows[0]?.name;
    if (asset === undefined) throw failure("not_found", `there is no asset ${assetId}; GET /assets lists them`);
    const [id] = await recordAssetEvents(tx, [{ asset, extra, source: null }], now);
    if (id === undefined) throw new Error(`asset ${assetId} is gone, though assets are never deleted`);
    return id;
  });
}
