// From "its dependencies are met" to "an attempt exists": returns retries whose time has come, and queues scheduled
// instances within the limits, each with the row of its attempt in the same transaction.

import type { JsonObject } from "../core/json.ts";
import { planQueue } from "../core/plan-queue.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { notifyWork } from "./wake-up.ts";

export interface AttemptPlacement {
  executor: string;
  newId: () => string;
  podName: (dagId: string, taskId: string, attemptId: string) => string;
  namespaceFor: (pod: JsonObject | null) => string | null;
}

// One lock for all queueing: limits are judged on counts that nobody else may be changing.
const QUEUE_LOCK = "windlass.queue";

/** Instances whose retry is due go back to scheduled. */
export async function returnDueRetries(db: Queryable, now: Date): Promise<{ returned: number; next_due: Date | null }> {
  const { rowCount } = await db.query({
    name: "return_due_retries",
    text: `update task_instance set state = 'scheduled', scheduled_at = $1, retry_at = null
      where state = 'up_for_retry' and retry_at <= $1`,
    values: [now],
  });
  const { rows } = await db.query<{ next_due: Date | null }>({
    name: "next_retry",
    text: "select min(retry_at) as next_due from task_instance where state = 'up_for_retry'",
  });
  return { returned: rowCount, next_due: rows[0]?.next_due ?? null };
}

interface Candidate {
  id: string;
  run_id: number;
  task_id: string;
  version_id: number;
  run_limit: number;
  occupied: number;
}

export async function queueReadyTasks(
  db: Database,
  versions: VersionCache,
  placement: AttemptPlacement,
  limits: { parallelism: number; batch: number },
  now: Date,
): Promise<{ queued: number; held: number; more: boolean }> {
  return db.transaction(async (tx) => {
    await tx.query({ name: "queue_lock", text: "select pg_advisory_xact_lock(hashtext($1))", values: [QUEUE_LOCK] });
    const candidates = await readCandidates(tx, limits.batch);
    if (candidates.length === 0) return { queued: 0, held: 0, more: false };
    const busy = await tx.query<{ busy: number }>({
      name: "count_busy",
      text: "select count(*) as busy from task_instance where state in ('queued', 'running')",
    });
    const free = Math.max(0, limits.parallelism - (busy.rows[0]?.busy ?? 0));
    const plan = planQueue(candidates, {
      free,
      parallelism: limits.parallelism,
      occupied: new Map(candidates.map((candidate) => [candidate.run_id, candidate.occupied])),
    });
    if (plan.hold.length > 0) {
      await tx.query({
        name: "hold_tasks",
        text: `update task_instance t set reason = h.reason from unnest($1::uuid[], $2::text[]) as h (id, reason)
          where t.id = h.id and t.reason is distinct from h.reason`,
        values: [plan.hold.map((held) => held.id), plan.hold.map((held) => held.reason)],
      });
    }
    await explainRest(tx, candidates);
    const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
    const chosen = plan.queue.flatMap((id) => byId.get(id) ?? []);
    await insertAttempts(tx, versions, placement, chosen, now);
    return {
      queued: chosen.length,
      held: plan.hold.length,
      more: candidates.length === limits.batch && chosen.length > 0,
    };
  });
}

async function readCandidates(tx: Queryable, batch: number): Promise<Candidate[]> {
  const { rows } = await tx.query<Candidate>({
    name: "queue_candidates",
    text: `
      select c.id, r.id as run_id, c.task_id, r.version_id, v.max_active_tasks as run_limit,
        coalesce(a.occupied, 0)::integer as occupied
      from dag_run r join dag d using (dag_id) join dag_version v on v.id = r.version_id
        -- No more of one run than its limit, so that a run that is full cannot fill the batch. In the index's order, so that
        -- a pass costs what it reads and not what waits.
        cross join lateral (
          select t.id, t.task_id, t.scheduled_at from task_instance t where t.run_id = r.id and t.state = 'scheduled'
          order by t.scheduled_at, t.id limit least(v.max_active_tasks, $1)) c
        left join (
          select run_id, count(*) as occupied from task_instance where state in ('queued', 'running') group by run_id) a
          on a.run_id = r.id
      where r.state = 'running' and not d.is_paused
      order by c.scheduled_at, c.id limit $1`,
    values: [batch],
  });
  return rows;
}

/** Instances beyond what was read of a full run wait for its limit: said once for each, in one statement. */
async function explainRest(tx: Queryable, candidates: readonly Candidate[]): Promise<void> {
  const limits = new Map(candidates.map(({ run_id, run_limit }) => [run_id, run_limit]));
  const full = [...limits].filter(
    ([runId, limit]) => candidates.filter(({ run_id }) => run_id === runId).length === limit,
  );
  if (full.length === 0) return;
  await tx.query({
    name: "explain_rest",
    text: `update task_instance t set reason = 'waits for a slot: max_active_tasks is ' || f.run_limit || ' for each run'
      from unnest($1::bigint[], $2::int[]) as f (run_id, run_limit)
      where t.run_id = f.run_id and t.state = 'scheduled' and t.reason is null and not (t.id = any ($3::uuid[]))`,
    values: [full.map(([runId]) => runId), full.map(([, limit]) => limit), candidates.map(({ id }) => id)],
  });
}

async function insertAttempts(
  tx: Queryable,
  versions: VersionCache,
  placement: AttemptPlacement,
  chosen: readonly Candidate[],
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
        namespace: placement.namespaceFor(graph.tasks.get(task_id)?.pod ?? null),
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
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as n (attempt_id, task_instance_id, namespace, pod_name)
        where t.id = n.task_instance_id and t.state = 'scheduled'
        returning t.id, t.epoch, t.try_number, n.attempt_id, n.namespace, n.pod_name)
      insert into attempt (id, task_instance_id, epoch, try_number, state, executor, launch_failures, namespace, pod_name, queued_at)
      select attempt_id, id, epoch, try_number, 'queued', $5, 0, namespace, pod_name, $6 from queued`,
    values: [
      attempts.map((attempt) => attempt.id),
      attempts.map((attempt) => attempt.task_instance_id),
      attempts.map((attempt) => attempt.namespace),
      attempts.map((attempt) => attempt.pod_name),
      placement.executor,
      now,
    ],
  });
  await notifyWork(tx, "launch");
}
