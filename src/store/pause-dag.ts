// Pausing: a paused DAG gets no new runs from its schedule. A person does it, or the limit of runs that fail in a row.

import type { Database, Queryable } from "./database.ts";
import { recordEvents } from "./event-log.ts";
import { notifyWork } from "./wake-up.ts";

/** false: there is no such DAG. */
export async function setDagPaused(
  db: Database,
  dagId: string,
  paused: boolean,
  user: string | null,
  now: Date,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "set_dag_paused",
      text: `
        update dag set is_paused = $2, pause_reason = null,
          unpaused_at = case when is_paused and not $2 then $3 else unpaused_at end
        where dag_id = $1`,
      values: [dagId, paused, now],
    });
    const event = { event: paused ? "pause_dag" : "unpause_dag", dag_id: dagId, owner: user };
    if (rowCount > 0) await recordEvents(tx, [event], now);
    if (rowCount > 0 && !paused) await notifyWork(tx, "runs", "queue");
    return rowCount > 0;
  });
}

/**
 * Pauses the DAGs of runs that have just failed, when as many as their limit have failed one after the other since they
 * were last unpaused. Runs of backfills do not count: they are of the past.
 */
export async function pauseAfterFailures(tx: Queryable, runIds: readonly number[]): Promise<void> {
  await tx.query({
    name: "pause_after_failures",
    text: `
      update dag d set is_paused = true,
        pause_reason = case when v.max_consecutive_failed_runs = 1 then 'paused because a run failed'
          else 'paused because the last ' || v.max_consecutive_failed_runs || ' runs failed' end
      from dag e join dag_version v on v.id = e.current_version_id, lateral (
        select count(*) as runs, bool_and(last.state = 'failed') as failed from (
          select r.state from dag_run r
          where r.dag_id = e.dag_id and r.end_date is not null and r.backfill_id is null
            and r.end_date > coalesce(e.unpaused_at, '-infinity')
          order by r.run_after desc limit v.max_consecutive_failed_runs) last) newest
      where e.dag_id in (select dag_id from dag_run where id = any ($1::bigint[]) and backfill_id is null)
        and d.dag_id = e.dag_id and v.max_consecutive_failed_runs is not null and not e.is_paused
        and newest.failed and newest.runs = v.max_consecutive_failed_runs`,
    values: [runIds],
  });
}
