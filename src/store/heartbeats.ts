// An attempt's sign of life, and the way back for a wish that it end. One statement, because it is the most frequent call.

import { failure } from "../core/errors.ts";
import type { Queryable } from "./database.ts";
import { notifyWork } from "./wake-up.ts";

const LEAVING_MS = 1_000;

/**
 * A worker that is refused stops at once, so its successor need not wait for the silence that would prove it.
 * The second leaves the worker time to go.
 */
export async function releaseQuarantine(db: Queryable, attemptId: string, now: Date): Promise<void> {
  const { rowCount } = await db.query({
    name: "release_quarantine",
    text: `
      update task_instance i set retry_at = $2 from attempt a
      where a.id = $1 and i.id = a.task_instance_id and i.epoch = a.epoch
        and (i.state in ('restarting', 'removed') or (i.state = 'up_for_retry' and i.same_try)) and a.outcome is not null and i.retry_at > $2`,
    values: [attemptId, new Date(now.getTime() + LEAVING_MS)],
  });
  if (rowCount > 0) await notifyWork(db, "queue", "advance");
}

/** Errors: attempt_stale, when the attempt has ended, has not started, or is not the newest of its instance. */
export async function recordHeartbeat(
  db: Queryable,
  attempt: { attempt_id: string; epoch: number; memory_peak?: number | null },
  now: Date,
): Promise<{ stop: string | null }> {
  const { rows } = await db.query<{ stop_reason: string | null }>({
    name: "record_heartbeat",
    text: `
      update attempt a set heartbeat_at = $3, memory_peak = greatest(a.memory_peak, $4) from task_instance i
      where a.id = $1 and a.epoch = $2 and a.state = 'running' and a.outcome is null
        and i.id = a.task_instance_id and i.epoch = a.epoch
      returning a.stop_reason`,
    values: [attempt.attempt_id, attempt.epoch, now, attempt.memory_peak ?? null],
  });
  const row = rows[0];
  if (!row)
    throw failure("attempt_stale", `attempt ${attempt.attempt_id} is no longer running: it has ended or was replaced`);
  return { stop: row.stop_reason };
}
