// Ends runs that have taken longer than their timeout: the run fails, what it still has under way is cancelled now, and all
// of its unfinished instances are skipped. Its attempts are stopped like any others, and what is cleared waits for their end.

import type { OutcomeRules } from "./attempt-outcome.ts";
import { requestStops } from "./attempt-stop.ts";
import { followRunEnd } from "./callbacks.ts";
import type { Database, Queryable } from "./database.ts";
import { pauseAfterFailures } from "./pause-dag.ts";
import { notifyWork } from "./wake-up.ts";

export async function endOverdueRuns(
  db: Database,
  rules: OutcomeRules,
  now: Date,
  limit: number,
): Promise<{ ended: number; next_due: Date | null }> {
  return db.transaction(async (tx) => {
    // skip locked: a run that is being advanced is looked at again in the next pass.
    const { rows } = await tx.query<{ id: number; version_id: number }>({
      name: "overdue_runs",
      text: `
        update dag_run r set state = 'failed', end_date = $1, unfinished = 0,
          reason = 'failed because it took longer than its run timeout of ' || v.run_timeout || ' s'
        from dag_version v
        where v.id = r.version_id and r.id in (
          select id from dag_run where state = 'running' and timeout_at <= $1
          order by timeout_at limit $2 for no key update skip locked)
        returning r.id, r.version_id`,
      values: [now, limit],
    });
    const runIds = rows.map((row) => row.id);
    if (runIds.length > 0) {
      await skipUnfinished(tx, rules, runIds, "skipped because its run took longer than its timeout", now);
      await pauseAfterFailures(tx, runIds);
      for (const { id, version_id } of rows) {
        const { graph } = await rules.versions.loadVersion(tx, version_id);
        await followRunEnd(tx, id, graph, "failed", now);
      }
      await notifyWork(tx, "runs");
    }
    const next = await tx.query<{ next_due: Date | null }>({
      name: "next_run_timeout",
      text: "select min(timeout_at) as next_due from dag_run where state = 'running' and timeout_at > $1",
      values: [now],
    });
    return { ended: runIds.length, next_due: next.rows[0]?.next_due ?? null };
  });
}

/** Skips what ended runs have left undone, and asks the attempts under way to end: each is open until its process is gone. */
async function skipUnfinished(
  tx: Queryable,
  rules: OutcomeRules,
  runIds: readonly number[],
  reason: string,
  now: Date,
): Promise<void> {
  // Attempts before instances and in the order of ids, as wherever outcomes are written.
  const { rows } = await tx.query<{ attempt_id: string; is_queued: boolean }>({
    name: "lock_attempts_of_runs",
    text: `
      select a.id as attempt_id, a.state = 'queued' as is_queued
      from attempt a join task_instance t on t.id = a.task_instance_id
      where t.run_id = any ($1::bigint[]) and a.outcome is null order by a.id for no key update of a, t`,
    values: [runIds],
  });
  await tx.query({
    name: "skip_unfinished",
    text: `
      update task_instance set state = 'skipped', reason = $2, end_date = $3, counted = true, retry_at = null
      where run_id = any ($1::bigint[])
        and (state is null or state not in ('success', 'failed', 'upstream_failed', 'skipped', 'removed'))`,
    values: [runIds, reason, now],
  });
  await requestStops(
    tx,
    rules,
    rows.map((row) => ({ ...row, reason })),
    now,
  );
}
