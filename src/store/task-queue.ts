// From "its dependencies are met" to "an attempt exists": returns retries whose time has come, and queues scheduled
// instances within the limits, each with the row of its attempt, or of its wait, in the same transaction.

import type { TaskDefinition } from "../core/definition.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import type { Parallelism } from "../core/plan-queue.ts";
import { type ChosenTask, chooseTasks } from "./choose-tasks.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { beginDeferrals, type Wait } from "./deferrals.ts";
import { remakeHeads } from "./lane-order.ts";
import { admitScheduled } from "./queue-lanes.ts";
import { followChanges, judgeKeys, recountUsage, type TaskKey } from "./slot-usage.ts";
import { notifyWork } from "./wake-up.ts";

export interface AttemptPlacement {
  newId: () => string;
  podName: (dagId: string, taskId: string, attemptId: string) => string;
  place: (task: TaskDefinition | undefined) => { executor: ExecutorName; namespace: string | null };
}

// One lock for all queueing: limits are judged on counts that nobody else may be changing.
const QUEUE_LOCK = "windlass.queue";

/** Instances whose retry is due go back to scheduled. */
export async function returnDueRetries(db: Queryable, now: Date): Promise<{ returned: number; next_due: Date | null }> {
  const { rowCount } = await db.query({
    name: "return_due_retries",
    text: `update task_instance set state = 'scheduled', scheduled_at = $1, retry_at = null, lane_id = null,
        waits_for = null
      where state = 'up_for_retry' and retry_at <= $1`,
    values: [now],
  });
  const { rows } = await db.query<{ next_due: Date | null }>({
    name: "next_retry",
    text: "select min(retry_at) as next_due from task_instance where state = 'up_for_retry'",
  });
  return { returned: rowCount, next_due: rows[0]?.next_due ?? null };
}

// Whatever is kept beside the instances is made anew from them this often, so that no fault in it lasts.
const RECOUNT_MS = 300_000;

export async function queueReadyTasks(
  db: Database,
  versions: VersionCache,
  placement: AttemptPlacement,
  limits: Parallelism & { batch: number },
  now: Date,
): Promise<{ queued: number; lanes: number; more: boolean }> {
  return db.transaction(async (tx) => {
    await tx.query({ name: "queue_lock", text: "select pg_advisory_xact_lock(hashtext($1))", values: [QUEUE_LOCK] });
    const changed = await followUp(tx, limits, now);
    const admitted = await admitScheduled(tx, versions);
    await judgeKeys(tx, [...changed, ...admitted]);
    const { chosen, lanes, more, settleHeads } = await chooseTasks(tx, limits);
    const waits: Wait[] = [];
    const tasks: ChosenTask[] = [];
    for (const task of chosen) {
      const { graph } = await versions.loadVersion(tx, task.version_id);
      const { kind, operator } = graph.tasks.get(task.task_id) ?? {};
      if (kind === "wait") waits.push({ id: task.id, kind: operator?.type ?? "" });
      else tasks.push(task);
    }
    await beginDeferrals(tx, waits, now);
    await insertAttempts(tx, versions, placement, tasks, now);
    await settleHeads();
    // A pass that was cut short has got on, and the next one goes further.
    return { queued: chosen.length, lanes, more };
  });
}

/** What has happened since the last pass, by whoever. Returns the keys that it touches. */
async function followUp(tx: Queryable, limits: Parallelism, now: Date): Promise<TaskKey[]> {
  const { rows } = await tx.query<{ is_due: boolean }>({
    name: "note_queue_pass",
    // Due also when it was in the future: the clock of another scheduler may be ahead.
    text: `
      update queue_state s set parallelism = $2, cluster_parallelism = $4,
        counted_at = case when was.is_due then $1 else s.counted_at end
      from (select coalesce(abs(extract(epoch from $1::timestamptz - counted_at)) * 1000 >= $3, true) as is_due from queue_state) was
      where was.is_due or s.parallelism is distinct from $2 or s.cluster_parallelism <> $4 returning was.is_due`,
    values: [now, limits.parallelism, RECOUNT_MS, Object.fromEntries(limits.clusterParallelism ?? [])],
  });
  if (!rows[0]?.is_due) return followChanges(tx);
  await recountUsage(tx);
  return remakeHeads(tx);
}

async function insertAttempts(
  tx: Queryable,
  versions: VersionCache,
  placement: AttemptPlacement,
  chosen: readonly ChosenTask[],
  now: Date,
): Promise<void> {
  if (chosen.length === 0) return;
  const attempts = await Promise.all(
    chosen.map(async ({ id, task_id, version_id }) => {
      const { graph } = await versions.loadVersion(tx, version_id);
      const attemptId = placement.newId();
      return {
        id: attemptId,
        task_instance_id: id,
        ...placement.place(graph.tasks.get(task_id)),
        pod_name: placement.podName(graph.dag_id, task_id, attemptId),
      };
    }),
  );
  await tx.query({
    name: "queue_tasks",
    text: `
      with queued as (
        update task_instance t set state = 'queued', queued_at = $6, epoch = t.epoch + 1, reason = null, same_try = false,
          try_number = case when t.same_try then t.try_number else t.try_number + 1 end
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) with ordinality
          as n (attempt_id, task_instance_id, namespace, pod_name, executor, place)
        -- Not by the index of the scheduled, which a join may read to its end for each of them.
        where t.id = n.task_instance_id and coalesce(t.state, '') = 'scheduled'
        returning t.id, t.epoch, t.try_number, n.attempt_id, n.namespace, n.pod_name, n.executor, n.place)
      insert into attempt (id, task_instance_id, epoch, try_number, state, executor, launch_failures, namespace, pod_name, queued_at)
      -- A microsecond apart: they are launched in the order in which they were chosen.
      select attempt_id, id, epoch, try_number, 'queued', executor, 0, namespace, pod_name,
        $6::timestamptz + (place - 1) * interval '1 microsecond'
      from queued`,
    values: [
      attempts.map((attempt) => attempt.id),
      attempts.map((attempt) => attempt.task_instance_id),
      attempts.map((attempt) => attempt.namespace),
      attempts.map((attempt) => attempt.pod_name),
      attempts.map((attempt) => attempt.executor),
      now,
    ],
  });
  await notifyWork(tx, "launch");
}
