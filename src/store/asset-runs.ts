// Creates the runs that assets call for. An event waits as a row for each DAG until a run of it takes it, so that being late,
// paused or one of several schedulers loses nothing; the lock on the DAG's row is what keeps two from taking the same.

import type { AssetCondition, DagDefinition } from "../core/definition.ts";
import { readParamDefaults } from "../core/param-defaults.ts";
import { planAssetRuns } from "../core/plan-asset-runs.ts";
import type { Database, Queryable } from "./database.ts";
import { insertRun } from "./run-creation.ts";
import { notifyWork } from "./wake-up.ts";

interface ConsumerRow {
  dag_id: string;
  condition: AssetCondition;
  pending: string[];
  newest_event: number;
}

interface Version {
  dag_id: string;
  version_id: number;
  definition: DagDefinition;
}

/** `more`: others are still due. */
export async function createAssetRuns(
  db: Database,
  now: Date,
  limit: number,
): Promise<{ created: number; more: boolean }> {
  const due = planAssetRuns(await readConsumers(db, null)).map((consumer) => consumer.dag_id);
  if (due.length === 0) return { created: 0, more: false };
  const created = await db.transaction(async (tx) => {
    // skip locked: whoever has the DAG creates its run.
    const { rows: versions } = await tx.query<Version>({
      name: "lock_asset_dags",
      text: `
        select d.dag_id, v.id as version_id, v.definition from dag d join dag_version v on v.id = d.current_version_id
        where d.dag_id = any ($1) and not d.is_paused and not d.is_stale
        order by d.dag_id for no key update of d skip locked`,
      values: [due.slice(0, limit)],
    });
    // Read again: another scheduler may have taken the events before the lock was had.
    const consumers = planAssetRuns(
      await readConsumers(
        tx,
        versions.map((version) => version.dag_id),
      ),
    );
    const runs: { dag_id: string; run_id: number }[] = [];
    for (const consumer of consumers) {
      const version = versions.find(({ dag_id }) => dag_id === consumer.dag_id);
      const run_id = version && (await insertAssetRun(tx, version, consumer.newest_event, now));
      if (typeof run_id === "number") runs.push({ dag_id: consumer.dag_id, run_id });
    }
    await consumeEvents(tx, runs);
    if (runs.length > 0) await notifyWork(tx, "runs");
    return runs.length;
  });
  return { created, more: due.length > limit };
}

/** The DAGs that have an event pending. @param dagIds null: all */
async function readConsumers(db: Queryable, dagIds: readonly string[] | null): Promise<ConsumerRow[]> {
  const { rows } = await db.query<ConsumerRow>({
    name: "asset_consumers",
    text: `
      select d.dag_id, d.asset_condition as condition, array_agg(a.name) as pending, max(newest.event_id) as newest_event
      from dag d join dag_asset w using (dag_id) join asset a on a.id = w.asset_id
        -- One row of the index for each asset, however many events wait.
        cross join lateral (select p.event_id from asset_pending p
          where p.dag_id = w.dag_id and p.asset_id = w.asset_id order by p.event_id desc limit 1) newest
      where ($1::text[] is null or d.dag_id = any ($1)) and not d.is_paused and not d.is_stale
        and d.asset_condition is not null
      group by d.dag_id order by min(newest.event_id)`,
    values: [dagIds],
  });
  return rows;
}

async function insertAssetRun(
  tx: Queryable,
  { dag_id, version_id, definition }: Version,
  newestEvent: number,
  now: Date,
): Promise<number | null> {
  return insertRun(
    tx,
    {
      dag_id,
      // The event makes it unique: a DAG consumes each once, and may do so twice in a millisecond.
      dag_run_id: `asset_triggered__${now.toISOString()}_${newestEvent}`,
      version_id,
      run_type: "asset_triggered",
      backfill_id: null,
      logical_date: null,
      data_interval_start: null,
      data_interval_end: null,
      run_after: now,
      conf: {},
      params: readParamDefaults(definition.params_schema),
      note: null,
      triggered_by: "asset",
      user: null,
    },
    definition,
    now,
  );
}

async function consumeEvents(tx: Queryable, runs: readonly { dag_id: string; run_id: number }[]): Promise<void> {
  await tx.query({
    name: "consume_asset_events",
    text: `
      with taken as (
        delete from asset_pending p using unnest($1::text[], $2::bigint[]) as r (dag_id, run_id)
        where p.dag_id = r.dag_id returning r.run_id, p.event_id)
      insert into dag_run_asset_event (run_id, event_id) select run_id, event_id from taken`,
    values: [runs.map((run) => run.dag_id), runs.map((run) => run.run_id)],
  });
}
