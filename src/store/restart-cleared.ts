// Instances that were cleared while an attempt of theirs was under way: when it has ended they are none, and judged again.

import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { type LockedRun, settleRun } from "./run-advance.ts";
import { workOnRun } from "./run-fault.ts";
import { INSTANCE_COLUMNS, type InstanceRow, toWaiting } from "./waiting-instances.ts";

/**
 * Restarts the instances of one run whose attempts have ended; null when there is none, but for those `aside`, that nobody else
 * holds. Throws a RunFault.
 */
export async function restartCleared(
  db: Database,
  versions: VersionCache,
  now: Date,
  aside: readonly number[] = [],
): Promise<number | null> {
  const lock = async (tx: Queryable) => {
    const { rows } = await tx.query<LockedRun & { state: string }>({
      name: "lock_run_to_restart",
      text: `
        select id, version_id, unfinished, state from dag_run where id in (
          select run_id from task_instance where state = 'restarting' and retry_at is not null and retry_at <= $1)
          and id <> all ($2)
        order by id limit 1 for no key update skip locked`,
      values: [now, aside],
    });
    return rows[0];
  };
  return workOnRun(db, lock, async (tx, run) => {
    const { rows } = await tx.query<InstanceRow>({
      name: "restart_cleared",
      text: `
        update task_instance t set state = null, retry_at = null, reason = null
        where run_id = $1 and state = 'restarting' and retry_at is not null and retry_at <= $2
        returning ${INSTANCE_COLUMNS}`,
      values: [run.id, now],
    });
    // A queued run judges all of its instances when it starts.
    if (run.state !== "running") return rows.length;
    const { graph } = await versions.loadVersion(tx, run.version_id);
    await settleRun(tx, run, graph, toWaiting(rows), now);
    return rows.length;
  });
}
