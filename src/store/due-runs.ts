// Creates the runs that a schedule calls for. What is due is a column of `dag`, so finding it is one index scan; which run
// follows is core/timetable's to say.

import type { DagDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { nextDueRun } from "../core/timetable.ts";
import type { Database, Queryable } from "./database.ts";
import { insertRun } from "./run-creation.ts";
import { notifyWork } from "./wake-up.ts";

/** Creates the runs that are due, one for each DAG at a time so that none starves; `more` when others are still due. */
export async function createDueRuns(
  db: Database,
  now: Date,
  limit: number,
): Promise<{ created: number; more: boolean; next_due: Date | null }> {
  return db.transaction(async (tx) => {
    // skip locked: several schedulers share the work, each DAG is handled by one.
    const { rows } = await tx.query<{
      dag_id: string;
      next_logical_date: Date;
      version_id: number;
      definition: DagDefinition;
    }>({
      name: "due_dags",
      text: `
        select d.dag_id, d.next_logical_date, v.id as version_id, v.definition
        from dag d join dag_version v on v.id = d.current_version_id,
          lateral (select count(*) as runs from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running')) active
        where d.next_run_after <= $1 and not d.is_paused and not d.is_stale
          -- Runs beyond the limit would only queue up: they are created when others have ended, which wakes us.
          and active.runs < v.max_active_runs
        order by d.next_run_after limit $2 for update of d skip locked`,
      values: [now, limit],
    });
    let created = 0;
    let repeat = false;
    for (const row of rows) {
      const { definition } = row;
      const due = nextDueRun(definition, new Date(row.next_logical_date.getTime() - 1), now);
      if (due && due.run_after <= now) {
        created += await insertScheduledRun(tx, row.version_id, definition, due, now);
        const following = nextDueRun(definition, due.logical_date, now);
        repeat ||= following !== null && following.run_after <= now;
        await setNextDue(tx, row.dag_id, following);
      } else {
        await setNextDue(tx, row.dag_id, due);
      }
    }
    if (created > 0) await notifyWork(tx, "runs");
    const next = await tx.query<{ next_due: Date | null }>({
      name: "next_due",
      text: "select min(next_run_after) as next_due from dag where next_run_after > $1 and not is_paused and not is_stale",
      values: [now],
    });
    return { created, more: repeat || rows.length === limit, next_due: next.rows[0]?.next_due ?? null };
  });
}

async function setNextDue(tx: Queryable, dagId: string, due: { logical_date: Date; run_after: Date } | null) {
  await tx.query({
    name: "set_next_due",
    text: "update dag set next_logical_date = $2, next_run_after = $3 where dag_id = $1",
    values: [dagId, due?.logical_date ?? null, due?.run_after ?? null],
  });
}

async function insertScheduledRun(
  tx: Queryable,
  versionId: number,
  definition: DagDefinition,
  due: { logical_date: Date; data_interval_start: Date; data_interval_end: Date; run_after: Date },
  now: Date,
): Promise<number> {
  const dagId = definition.dag_id;
  const runId = `scheduled__${due.logical_date.toISOString()}`;
  // Also by id, which a person may have given to a run of theirs: a conflict would fail the runs of all other DAGs too.
  const { rowCount } = await tx.query({
    name: "run_exists",
    text: "select 1 from dag_run where dag_id = $1 and (logical_date = $2 or dag_run_id = $3)",
    values: [dagId, due.logical_date, runId],
  });
  if (rowCount > 0) return 0;
  const run = {
    ...due,
    dag_id: dagId,
    dag_run_id: runId,
    version_id: versionId,
  };
  const params = readParamDefaults(definition.params_schema);
  await insertRun(
    tx,
    { ...run, run_type: "scheduled", conf: {}, params, note: null, triggered_by: "timetable", user: null },
    definition,
    now,
  );
  return 1;
}

/** What a run without `conf` gets: the defaults of the schema's properties. */
function readParamDefaults(schema: JsonObject | null): JsonObject {
  const properties = schema?.["properties"];
  if (properties === undefined || properties === null || typeof properties !== "object" || Array.isArray(properties))
    return {};
  const defaults: JsonObject = {};
  for (const [name, property] of Object.entries(properties)) {
    if (property === null || typeof property !== "object" || Array.isArray(property)) continue;
    const value = property["default"];
    if (value !== undefined) defaults[name] = value;
  }
  return defaults;
}
