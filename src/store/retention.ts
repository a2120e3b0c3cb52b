// Deletes history that is older than the installation keeps: ended runs with all that belongs to them, then versions and
// bundles that no run and no DAG needs any more. In batches, each a short transaction, so that nothing waits for it.

import type { Database, Queryable } from "./database.ts";

const BATCH = 500;

export interface RetentionCounts {
  runs: number;
  /** Of assets. */
  events: number;
  versions: number;
  bundles: number;
}

/** @param before ended runs older than this go */
export async function deleteOldHistory(db: Database, before: Date, signal: AbortSignal): Promise<RetentionCounts> {
  let runs = 0;
  for (let deleted = BATCH; deleted === BATCH && !signal.aborted; runs += deleted) {
    deleted = await deleteRuns(db, before);
  }
  let events = 0;
  for (let deleted = BATCH; deleted === BATCH && !signal.aborted; events += deleted) {
    deleted = await deleteAssetEvents(db, before);
  }
  const versions = await db.query({
    text: `delete from dag_version v where v.created_at < $1
      and not exists (select from dag d where d.current_version_id = v.id)
      and not exists (select from dag_run r where r.version_id = v.id)`,
    values: [before],
    unhurried: true,
  });
  // A bundle that is being saved at this moment is younger than any retention.
  const bundles = await db.query({
    text: `delete from dag_bundle b where b.created_at < $1 and not exists (select from dag_version v where v.bundle_hash = b.hash)`,
    values: [before],
    unhurried: true,
  });
  await db.query({ text: `delete from event_log where "when" < $1`, values: [before] });
  return { runs, events, versions: versions.rowCount, bundles: bundles.rowCount };
}

async function deleteRuns(db: Queryable, before: Date): Promise<number> {
  const { rowCount } = await db.query({
    name: "delete_old_runs",
    text: `delete from dag_run where id in (
      select id from dag_run r where end_date < $1 and not exists (
        select from attempt a join task_instance t on t.id = a.task_instance_id where t.run_id = r.id and a.cleaned_at is null)
      order by end_date limit ${BATCH} for update skip locked)`,
    values: [before],
    unhurried: true,
  });
  return rowCount;
}

/** Events that a DAG has yet to consume, and those of runs that are kept, stay. */
async function deleteAssetEvents(db: Database, before: Date): Promise<number> {
  const { rowCount } = await db.query({
    name: "delete_old_asset_events",
    text: `delete from asset_event where id in (
      select id from asset_event e where "timestamp" < $1
        and not exists (select from asset_pending p where p.event_id = e.id)
        and not exists (select from dag_run_asset_event c where c.event_id = e.id)
      order by "timestamp" limit ${BATCH} for update skip locked)`,
    values: [before],
    unhurried: true,
  });
  return rowCount;
}
