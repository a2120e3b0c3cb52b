// Lets an ended run begin again, on a given version: its instances are as before their first attempt, but for their epochs,
// which go on, so that nothing of an old attempt is taken for the new one's. Old attempts keep their rows and logs.

import type { DagVersion } from "./dag-versions.ts";
import type { Queryable } from "./database.ts";

/** The run must be locked, and have ended. */
export async function resetRun(
  tx: Queryable,
  run: { id: number; backfill_id: number | null },
  version: DagVersion,
  now: Date,
): Promise<void> {
  const { tasks } = version.definition;
  // Attempts before instances, as by those who write outcomes: what is seen open here ends with its instance restarting.
  await tx.query({
    name: "lock_attempts_of_reset_run",
    text: `select a.id from attempt a join task_instance t on t.id = a.task_instance_id
      where t.run_id = $1 and a.outcome is null order by a.id for no key update of a, t`,
    values: [run.id],
  });
  await tx.query({
    name: "drop_results_of_run",
    text: `delete from task_result where task_instance_id in (select id from task_instance where run_id = $1)`,
    values: [run.id],
  });
  // Tasks that the version does not have any more stay, for their logs.
  await tx.query({
    name: "remove_unknown_instances",
    text: `
      update task_instance set state = 'removed', counted = true, end_date = $3, retry_at = null,
        reason = 'removed because the DAG has no such task any more'
      where run_id = $1 and (task_id <> all ($2) or map_index <> -1)`,
    values: [run.id, tasks.map((task) => task.task_id), now],
  });
  await tx.query({
    name: "reset_instances",
    text: `
      insert into task_instance as t (run_id, task_id, map_index, state, try_number, max_tries, epoch,
        infrastructure_failures, upstream_total, upstream_success, upstream_failed, upstream_upstream_failed,
        upstream_skipped, upstream_removed, setup_total, counted)
      select $1, task.task_id, -1, null, 0, task.max_tries, 0, 0, task.upstream_total, 0, 0, 0, 0, 0, task.setup_total, false
      from unnest($2::text[], $3::int[], $4::int[], $5::int[]) as task (task_id, max_tries, upstream_total, setup_total)
      -- The tries go on too: they tell the old attempts from the new ones.
      on conflict (run_id, task_id, map_index) do update set
        -- A run that was cancelled, or took too long, may have attempts that have not ended.
        state = case when exists (select from attempt a where a.task_instance_id = t.id and a.outcome is null)
          then 'restarting' end,
        max_tries = t.try_number + excluded.max_tries, infrastructure_failures = 0, same_try = false,
        upstream_total = excluded.upstream_total, upstream_success = 0, upstream_failed = 0, upstream_upstream_failed = 0,
        upstream_skipped = 0, upstream_removed = 0, setup_total = excluded.setup_total, setup_success = 0, setup_failed = 0,
        setup_skipped = 0, counted = false, retry_at = null, scheduled_at = null, queued_at = null,
        start_date = null, end_date = null, reason = null`,
    values: [
      run.id,
      tasks.map((task) => task.task_id),
      tasks.map((task) => task.retries + 1),
      tasks.map((task) => task.upstream.length),
      tasks.map((task) => version.graph.setups.get(task.task_id)?.length ?? 0),
    ],
  });
  await tx.query({
    name: "reset_run",
    text: `
      update dag_run set state = 'queued', version_id = $2, queued_at = $3, start_date = null, end_date = null,
        timeout_at = null, reason = null, unfinished = $4, backfill_id = $5
      where id = $1`,
    values: [run.id, version.id, now, tasks.length, run.backfill_id],
  });
}
