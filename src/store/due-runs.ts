// Creates the runs that a schedule calls for. What is due is a column of `dag`, so finding it is one index scan; which run
// follows is core/timetable's to say.

import type { DagDefinition } from "../core/definition.ts";
import { readParamDefaults } from "../core/param-defaults.ts";
import { announcedRun, type DueRun, nextDueRun } from "../core/timetable.ts";
import type { Database, Queryable } from "./database.ts";
import { insertRun } from "./run-creation.ts";
import { notifyWork } from "./wake-up.ts";

interface DueDag {
  dag_id: string;
  next_logical_date: Date;
  version_id: number;
  definition: DagDefinition;
  computed: Date[] | null;
}

/** Creates the runs that are due, one for each DAG at a time so that none starves; `more` when others are still due. */
export async function createDueRuns(
  db: Database,
  now: Date,
  limit: number,
): Promise<{ created: number; more: boolean; next_due: Date | null }> {
  return db.transaction(async (tx) => {
    // skip locked: several schedulers share the work, each DAG is handled by one.
    const { rows } = await tx.query<DueDag>({
      name: "due_dags",
      text: `
        select d.dag_id, d.next_logical_date, v.id as version_id, v.definition, c.times as computed
        from dag d join dag_version v on v.id = d.current_version_id left join computed_time c on c.dag_id = d.dag_id,
          lateral (select count(*) as runs from dag_run r
            where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) active
        where d.next_run_after <= $1 and not d.is_paused and not d.is_stale
          -- Runs beyond the limit would only queue up: they are created when others have ended, which wakes us.
          and active.runs < v.max_active_runs
        order by d.next_run_after limit $2 for update of d skip locked`,
      values: [now, limit],
    });
    let created = 0;
    let repeat = false;
    const announced: { dag_id: string; due: DueRun | null }[] = [];
    for (const row of rows) {
      const computed = row.computed ?? [];
      let due = announcedRun(row.definition, row.next_logical_date, now, computed);
      if (due && due.run_after <= now) {
        created += await insertScheduledRun(tx, row.version_id, row.definition, due, now);
        due = nextDueRun(row.definition, due.logical_date, now, computed);
        repeat ||= due !== null && due.run_after <= now;
      }
      announced.push({ dag_id: row.dag_id, due });
    }
    await announceRuns(tx, announced);
    if (created > 0) await notifyWork(tx, "runs");
    const next = await tx.query<{ next_due: Date | null }>({
      name: "next_due",
      text: "select min(next_run_after) as next_due from dag where next_run_after > $1 and not is_paused and not is_stale",
      values: [now],
    });
    return { created, more: repeat || rows.length === limit, next_due: next.rows[0]?.next_due ?? null };
  });
}

/** Writes down which run each DAG's schedule calls for next. */
export async function announceRuns(
  tx: Queryable,
  announced: readonly { dag_id: string; due: DueRun | null }[],
): Promise<void> {
  if (announced.length === 0) return;
  await tx.query({
    name: "announce_runs",
    text: `
      update dag d set next_logical_date = n.logical_date, next_run_after = n.run_after
      from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as n (dag_id, logical_date, run_after)
      where d.dag_id = n.dag_id`,
    values: [
      announced.map(({ dag_id }) => dag_id),
      announced.map(({ due }) => due?.logical_date ?? null),
      announced.map(({ due }) => due?.run_after ?? null),
    ],
  });
}

async function insertScheduledRun(
  tx: Queryable,
  versionId: number,
  definition: DagDefinition,
  due: DueRun,
  now: Date,
): Promise<number> {
  const run = {
    ...due,
    dag_id: definition.dag_id,
    dag_run_id: `scheduled__${due.logical_date.toISOString()}`,
    version_id: versionId,
    backfill_id: null,
  };
  const params = readParamDefaults(definition.params_schema);
  const id = await insertRun(
    tx,
    { ...run, run_type: "scheduled", conf: {}, params, note: null, triggered_by: "timetable", user: null },
    definition,
    now,
  );
  return id === null ? 0 : 1;
}
