// From "its dependencies are met" to "an attempt exists": returns retries whose time has come, and queues scheduled
// instances within the limits, each with the row of its attempt in the same transaction.

import {
  createQueueLimits,
  type Lane,
  type Occupant,
  type QueueLimits,
  type QueueState,
  type SlotPool,
} from "../core/plan-queue.ts";
import type { TaskDefinition } from "../core/definition.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import { DEFAULT_POOL } from "../core/task-lane.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { admitScheduled } from "./queue-lanes.ts";
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

interface Candidate {
  id: string;
  lane_id: number;
  task_id: string;
}

type WaitingLane = Lane & { version_id: number; reason: string | null };

export async function queueReadyTasks(
  db: Database,
  versions: VersionCache,
  placement: AttemptPlacement,
  limits: { parallelism: number; batch: number },
  now: Date,
): Promise<{ queued: number; lanes: number; more: boolean }> {
  return db.transaction(async (tx) => {
    await tx.query({ name: "queue_lock", text: "select pg_advisory_xact_lock(hashtext($1))", values: [QUEUE_LOCK] });
    await admitScheduled(tx, versions);
    const lanes = await readWaitingLanes(tx);
    if (lanes.length === 0) return { queued: 0, lanes: 0, more: false };
    const state = createQueueLimits({ ...(await readQueueState(tx)), parallelism: limits.parallelism });
    const candidates = await readCandidates(
      tx,
      lanes.map((lane) => ({ id: lane.id, room: Math.min(state.headroom(lane), limits.batch) })),
      limits.batch,
    );
    const byId = new Map(lanes.map((lane) => [lane.id, lane]));
    const chosen = candidates.flatMap(({ id, lane_id, task_id }) => {
      const lane = byId.get(lane_id);
      return lane && state.take(lane, task_id) ? [{ id, task_id, version_id: lane.version_id }] : [];
    });
    await explainLanes(tx, lanes, state, now);
    await insertAttempts(tx, versions, placement, chosen, now);
    // The first candidate is always queued, so a pass that was cut short has got on, and the next one goes further.
    return { queued: chosen.length, lanes: lanes.length, more: candidates.length === limits.batch };
  });
}

async function readWaitingLanes(tx: Queryable): Promise<WaitingLane[]> {
  const { rows } = await tx.query<WaitingLane>({
    name: "waiting_lanes",
    // One probe of the index for each lane, whatever waits in it.
    text: `
      with recursive waiting (lane_id) as (
        (select lane_id from task_instance where state = 'scheduled' and lane_id is not null order by lane_id limit 1)
        union all
        select n.lane_id from waiting w cross join lateral (
          select t.lane_id from task_instance t
          where t.state = 'scheduled' and t.lane_id is not null and t.lane_id > w.lane_id order by t.lane_id limit 1) n)
      select l.id, l.run_id, r.dag_id, r.dag_run_id, r.version_id, l.pool, l.pool_slots, l.task_id, l.key, l.run_limit,
        l.dag_limit, l.task_limit, l.task_run_limit, l.key_limit, l.reason
      from waiting w join queue_lane l on l.id = w.lane_id join dag_run r on r.id = l.run_id join dag d using (dag_id)
      where r.state = 'running' and not d.is_paused`,
  });
  return rows;
}

async function readQueueState(tx: Queryable): Promise<Omit<QueueState, "parallelism">> {
  const occupants = await tx.query<Occupant>({
    name: "queue_occupants",
    // By index, no more than parallelism allows. What an earlier release queued has no lane.
    text: `
      select t.run_id, r.dag_id, r.dag_run_id, t.task_id, coalesce(l.pool, '${DEFAULT_POOL}') as pool,
        coalesce(l.pool_slots, 1) as pool_slots, coalesce(l.key, '') as key, count(*)::integer as active
      from task_instance t join dag_run r on r.id = t.run_id left join queue_lane l on l.id = t.lane_id
      where t.state in ('queued', 'running')
      group by t.run_id, r.dag_id, r.dag_run_id, t.task_id, l.pool, l.pool_slots, l.key`,
  });
  const pools = await tx.query<SlotPool>({
    name: "queue_pools",
    text: `
      select p.name, p.slots, coalesce(d.slots, 0)::integer as deferred
      from slot_pool p left join (
        select l.pool, sum(l.pool_slots) as slots
        from task_instance t join queue_lane l on l.id = t.lane_id
        where t.state = 'deferred' group by l.pool) d on d.pool = p.name and p.include_deferred`,
  });
  return { occupants: occupants.rows, pools: pools.rows };
}

/** No more of a lane than it has room for, in the order of priority, logical date and map index. */
async function readCandidates(
  tx: Queryable,
  lanes: readonly { id: number; room: number }[],
  batch: number,
): Promise<Candidate[]> {
  const open = lanes.filter(({ room }) => room > 0);
  if (open.length === 0) return [];
  const { rows } = await tx.query<Candidate>({
    name: "queue_candidates",
    text: `
      select c.id, o.id as lane_id, c.task_id
      from unnest($1::bigint[], $2::int[]) as o (id, room)
        join queue_lane l on l.id = o.id join dag_run r on r.id = l.run_id
        cross join lateral (
          select t.id, t.task_id, t.priority_weight, t.map_index, t.scheduled_at from task_instance t
          where t.lane_id = o.id and t.state = 'scheduled'
          order by t.priority_weight desc, t.map_index, t.scheduled_at, t.id limit o.room) c
      order by c.priority_weight desc, coalesce(r.logical_date, r.run_after), c.map_index, c.scheduled_at, c.id limit $3`,
    values: [open.map(({ id }) => id), open.map(({ room }) => room), batch],
  });
  return rows;
}

// Reasons name counts and holders, which change with every pass: with many lanes only some are written anew in each.
const EXPLAINED = 500;

/** A reason stands once for all that wait in a lane: what holds one of them back holds all of them. */
async function explainLanes(
  tx: Queryable,
  lanes: readonly WaitingLane[],
  limits: QueueLimits,
  now: Date,
): Promise<void> {
  const wrong = lanes
    .map((lane) => ({ id: lane.id, before: lane.reason, reason: limits.explain(lane) }))
    .filter(({ before, reason }) => before !== reason);
  const unsaid = wrong.filter(({ before }) => before === null);
  const stale = wrong.filter(({ before }) => before !== null);
  const from = stale.length === 0 ? 0 : Math.floor(now.getTime() / 1000) % stale.length;
  const changed = [...unsaid, ...[...stale.slice(from), ...stale.slice(0, from)].slice(0, EXPLAINED)];
  if (changed.length === 0) return;
  await tx.query({
    name: "explain_lanes",
    text: `update queue_lane l set reason = c.reason from unnest($1::bigint[], $2::text[]) as c (id, reason) where l.id = c.id`,
    values: [changed.map(({ id }) => id), changed.map(({ reason }) => reason)],
  });
}

async function insertAttempts(
  tx: Queryable,
  versions: VersionCache,
  placement: AttemptPlacement,
  chosen: readonly { id: string; task_id: string; version_id: number }[],
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
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
          as n (attempt_id, task_instance_id, namespace, pod_name, executor)
        -- Not by the index of the scheduled, which a join may read to its end for each of them.
        where t.id = n.task_instance_id and coalesce(t.state, '') = 'scheduled'
        returning t.id, t.epoch, t.try_number, n.attempt_id, n.namespace, n.pod_name, n.executor)
      insert into attempt (id, task_instance_id, epoch, try_number, state, executor, launch_failures, namespace, pod_name, queued_at)
      select attempt_id, id, epoch, try_number, 'queued', executor, 0, namespace, pod_name, $6 from queued`,
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
