// What tasks without a pod wait for in other DAGs: a run that they trigger, or a run or task that they only watch.

import type { DagDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import type { Database, Queryable } from "./database.ts";
import { insertRun } from "./run-creation.ts";
import { notifyWork } from "./wake-up.ts";

export interface WaitTarget {
  id: number;
  dag_run_id: string;
  state: string | null;
}

export interface TriggeredRun {
  dag_id: string;
  /** The same for every look of one try, so that a repeat finds the run in place of making a second. */
  dag_run_id: string;
  conf: JsonObject;
}

export type CheckParams = (
  dag: { dag_id: string; version_id: number; params_schema: JsonObject | null },
  conf: JsonObject,
) => JsonObject;

/** The run, made unless it is there; a text when it cannot be made. Errors of `checkParams`. */
export async function ensureTriggeredRun(
  db: Database,
  run: TriggeredRun,
  checkParams: CheckParams,
  now: Date,
): Promise<WaitTarget | string> {
  return db.transaction(async (tx) => {
    // The lock on the DAG's row keeps two schedulers from making it at once.
    const { rows } = await tx.query<{ is_stale: boolean; version_id: number | null; definition: DagDefinition | null }>(
      {
        name: "lock_dag_for_trigger",
        text: `select d.is_stale, v.id as version_id, v.definition from dag d
        left join dag_version v on v.id = d.current_version_id where d.dag_id = $1 for no key update of d`,
        values: [run.dag_id],
      },
    );
    const known = await readRunTarget(tx, run.dag_id, run.dag_run_id);
    if (known) return known;
    const dag = rows[0];
    if (!dag?.definition || dag.version_id === null) return `there is no DAG "${run.dag_id}" to trigger`;
    if (dag.is_stale) return `the file of DAG "${run.dag_id}" is gone, so it takes no new runs`;
    const { definition, version_id } = dag;
    const params = checkParams({ dag_id: run.dag_id, version_id, params_schema: definition.params_schema }, run.conf);
    const dates = { logical_date: null, data_interval_start: null, data_interval_end: null, run_after: now };
    const who = { note: null, triggered_by: "operator", user: null, backfill_id: null };
    const made = { ...run, ...dates, ...who, version_id, run_type: "manual" as const, params };
    const id = await insertRun(tx, made, definition, now);
    if (id === null) return `DAG "${run.dag_id}" has another run in the place of "${run.dag_run_id}"`;
    await notifyWork(tx, "runs");
    return { id, dag_run_id: run.dag_run_id, state: "queued" };
  });
}

export async function readRunTarget(db: Queryable, dagId: string, runId: string): Promise<WaitTarget | null> {
  const { rows } = await db.query<WaitTarget>({
    name: "read_run_target",
    text: "select id, dag_run_id, state from dag_run where dag_id = $1 and dag_run_id = $2",
    values: [dagId, runId],
  });
  return rows[0] ?? null;
}

/** A run by its id, or else by its logical date; of a task in it, the state of all its instances together. */
export async function readExternalTarget(
  db: Queryable,
  target: { dag_id: string; task_id: string | null; run_id: string | null; logical_date: string | null },
): Promise<WaitTarget | null> {
  const { rows } = await db.query<WaitTarget>({
    name: "read_external_target",
    // Instances of a mapped task that disagree have no state together; one that failed says so for all.
    text: `
      select r.id, r.dag_run_id, case when $2::text is null then r.state else (
          select case when bool_or(t.state in ('failed', 'upstream_failed')) then 'failed'
            when min(t.state) = max(t.state) and bool_and(t.state is not null) then min(t.state) end
          from task_instance t where t.run_id = r.id and t.task_id = $2) end as state
      from dag_run r
      where r.dag_id = $1 and (r.dag_run_id = $3 or ($3::text is null and r.logical_date = $4::timestamptz))`,
    values: [target.dag_id, target.task_id, target.run_id, target.logical_date],
  });
  return rows[0] ?? null;
}
