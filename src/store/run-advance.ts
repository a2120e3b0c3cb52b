// Moves runs on: starts queued ones, counts finished instances into their downstream, schedules what has become ready, ends
// runs with nothing left. Each run is advanced in one transaction under its row's lock, by plans that core/ makes.

import {
  judgeRun,
  type FinishedInstance,
  type Move,
  planCounterGrowth,
  type WaitingInstance,
} from "../core/plan-advance.ts";
import type { DagGraph } from "../core/graph.ts";
import type { FinishedTaskState } from "../core/states.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { pauseAfterFailures } from "./pause-dag.ts";
import { explainKeys } from "./run-keys.ts";
import { followRunEnd, setRunDeadline } from "./callbacks.ts";
import { beginDeferrals } from "./deferrals.ts";
import { planDecidedMoves } from "./decisions.ts";
import { notifyWork } from "./wake-up.ts";

export interface AdvanceCounts extends Record<string, number> {
  runs: number;
  counted: number;
  scheduled: number;
  ended: number;
}

export interface LockedRun {
  id: number;
  version_id: number;
  unfinished: number;
}

// One lock for all run starts: max_active_runs is judged on counts that nobody else may be changing.
const START_RUNS_LOCK = "windlass.start-runs";

/** Starts queued runs whose time has come, oldest first, within max_active_runs. */
export async function startQueuedRuns(
  db: Database,
  versions: VersionCache,
  now: Date,
  limit: number,
): Promise<{ started: number; next_due: Date | null }> {
  return db.transaction(async (tx) => {
    await tx.query({
      name: "start_runs_lock",
      text: "select pg_advisory_xact_lock(hashtext($1))",
      values: [START_RUNS_LOCK],
    });
    const { rows } = await tx.query<LockedRun>({
      name: "start_queued_runs",
      text: `
        with due as (
          select r.id, r.dag_id, r.run_after, r.backfill_id, v.max_active_runs, r.concurrency_key, r.concurrency_limit,
            row_number() over (partition by r.dag_id, r.concurrency_key order by r.run_after, r.id) as key_place
          from dag_run r join dag d using (dag_id) join dag_version v on v.id = r.version_id
            left join backfill b on b.id = r.backfill_id
          where r.state = 'queued' and r.run_after <= $1 and not d.is_paused and b.is_paused is not true),
        -- Once for each DAG and key: a count for each candidate would make a backlog cost its square.
        active_keys as (
          select dag_id, concurrency_key, count(*) as runs from dag_run
          where state = 'running' and concurrency_key is not null group by dag_id, concurrency_key),
        active as (select dag_id, count(*) as runs from dag_run where state = 'running' and backfill_id is null
          group by dag_id),
        -- Places are given to those that their key does not hold back.
        candidate as (
          select u.*, row_number() over (partition by u.dag_id, u.backfill_id order by u.run_after, u.id) as place
          from due u left join active_keys k using (dag_id, concurrency_key)
          where u.concurrency_key is null or u.key_place <= u.concurrency_limit - coalesce(k.runs, 0)),
        chosen as (
          select c.id from candidate c left join active a using (dag_id)
          -- A backfill's runs are made within its own limit.
          where c.backfill_id is not null or c.place <= c.max_active_runs - coalesce(a.runs, 0)
          order by c.run_after limit $2)
        update dag_run r set state = 'running', start_date = $1, reason = null,
          timeout_at = $1::timestamptz + v.run_timeout * interval '1 second'
        from dag_version v where v.id = r.version_id and r.id in (select id from chosen) and r.state = 'queued'
        returning r.id, r.version_id, r.unfinished`,
      values: [now, limit],
    });
    // Of a run that people have changed, finished instances are still to be counted.
    if (rows.length > 0) await notifyWork(tx, "advance");
    for (const run of rows) {
      const { graph, definition } = await versions.loadVersion(tx, run.version_id);
      await setRunDeadline(tx, run.id, definition, { started: now }, now);
      await settleRun(tx, run, graph, await readUnblocked(tx, run.id, graph), now);
    }
    await explainKeys(tx, now);
    const next = await tx.query<{ next_due: Date | null }>({
      name: "next_queued_run",
      text: "select min(run_after) as next_due from dag_run where state = 'queued' and run_after > $1",
      values: [now],
    });
    return { started: rows.length, next_due: next.rows[0]?.next_due ?? null };
  });
}

/** Advances one run that has uncounted instances; null when there is none that another scheduler does not hold. */
export async function advanceNextRun(db: Database, versions: VersionCache, now: Date): Promise<AdvanceCounts | null> {
  return db.transaction(async (tx) => {
    // skip locked: a run is advanced by one scheduler at a time, others take the next.
    const { rows } = await tx.query<LockedRun>({
      name: "lock_run_to_advance",
      text: `
        select id, version_id, unfinished from dag_run r
        where state = 'running' and exists (
          select from task_instance t where t.run_id = r.id and not t.counted
            and t.state in ('success', 'failed', 'upstream_failed', 'skipped', 'removed'))
        order by id limit 1 for update skip locked`,
    });
    const run = rows[0];
    if (!run) return null;
    const { graph } = await versions.loadVersion(tx, run.version_id);
    const { counted, waiting } = await countFinished(tx, run, graph);
    const settled = await settleRun(tx, run, graph, waiting, now);
    return { runs: 1, counted, ...settled };
  });
}

/** Adds finished instances to their downstream's counters, and takes them off `run.unfinished`. */
export async function countFinished(
  tx: Queryable,
  run: LockedRun,
  graph: DagGraph,
): Promise<{ counted: number; waiting: WaitingInstance[] }> {
  const finished = await tx.query<FinishedInstance>({
    name: "count_finished",
    text: `update task_instance set counted = true
      where run_id = $1 and not counted and state in ('success', 'failed', 'upstream_failed', 'skipped', 'removed')
      returning task_id, state`,
    values: [run.id],
  });
  run.unfinished -= finished.rowCount;
  return { counted: finished.rowCount, waiting: await growCounters(tx, run.id, graph, finished.rows) };
}

/** Performs what follows from changed instances until nothing more does. */
export async function settleRun(
  tx: Queryable,
  run: LockedRun,
  graph: DagGraph,
  changed: WaitingInstance[],
  now: Date,
): Promise<{ scheduled: number; ended: number }> {
  let scheduled = 0;
  let { unfinished } = run;
  for (let waiting = changed; waiting.length > 0;) {
    const moves = await planDecidedMoves(tx, run.id, graph, waiting);
    if (moves.length === 0) break;
    await performMoves(tx, moves, now);
    await beginDeferrals(tx, graph, moves, now);
    const finished = moves.flatMap(({ task_id, to }) => (to === "scheduled" ? [] : [{ task_id, state: to }]));
    scheduled += moves.length - finished.length;
    unfinished -= finished.length;
    waiting = await growCounters(tx, run.id, graph, finished);
  }
  await tx.query({
    name: "set_unfinished",
    text: "update dag_run set unfinished = $2 where id = $1",
    values: [run.id, unfinished],
  });
  // Those that finished may be what an instance of a later run waits for.
  await notifyWork(tx, "queue");
  if (unfinished > 0) return { scheduled, ended: 0 };
  await endRun(tx, run.id, graph, now);
  return { scheduled, ended: 1 };
}

/** Instances that no upstream holds back. */
export async function readUnblocked(tx: Queryable, runId: number, graph: DagGraph): Promise<WaitingInstance[]> {
  const always = [...graph.tasks.values()].filter((task) => task.trigger_rule === "always").map((task) => task.task_id);
  const { rows } = await tx.query<InstanceRow>({
    name: "read_unblocked",
    text: `select ${INSTANCE_COLUMNS} from task_instance t
      where t.run_id = $1 and t.state is null and (t.upstream_total = 0 or t.task_id = any ($2))`,
    values: [runId, always],
  });
  return rows.map(toWaiting);
}

async function growCounters(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  finished: readonly FinishedInstance[],
): Promise<WaitingInstance[]> {
  const growth = planCounterGrowth(graph, finished);
  if (growth.length === 0) return [];
  const { rows } = await tx.query<InstanceRow & { state: string | null }>({
    name: "grow_counters",
    text: `
      update task_instance t set
        upstream_success = t.upstream_success + g.success, upstream_failed = t.upstream_failed + g.failed,
        upstream_upstream_failed = t.upstream_upstream_failed + g.upstream_failed,
        upstream_skipped = t.upstream_skipped + g.skipped, upstream_removed = t.upstream_removed + g.removed
      from unnest($2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[])
        as g (task_id, success, failed, upstream_failed, skipped, removed)
      where t.run_id = $1 and t.task_id = g.task_id
      returning ${INSTANCE_COLUMNS}, t.state`,
    values: [
      runId,
      growth.map((entry) => entry.task_id),
      growth.map((entry) => entry.success),
      growth.map((entry) => entry.failed),
      growth.map((entry) => entry.upstream_failed),
      growth.map((entry) => entry.skipped),
      growth.map((entry) => entry.removed),
    ],
  });
  return rows.filter((row) => row.state === null).map(toWaiting);
}

async function performMoves(tx: Queryable, moves: readonly Move[], now: Date): Promise<void> {
  await tx.query({
    name: "perform_moves",
    text: `
      update task_instance t set state = m.state, reason = m.reason, counted = m.state <> 'scheduled',
        scheduled_at = case when m.state = 'scheduled' then $4 else t.scheduled_at end, lane_id = null, waits_for = null,
        end_date = case when m.state = 'scheduled' then null else $4::timestamptz end
      from unnest($1::uuid[], $2::text[], $3::text[]) as m (id, state, reason)
      where t.id = m.id`,
    values: [moves.map((move) => move.id), moves.map((move) => move.to), moves.map((move) => move.reason), now],
  });
}

async function endRun(tx: Queryable, runId: number, graph: DagGraph, now: Date): Promise<void> {
  const { rows } = await tx.query<{ task_id: string; state: FinishedTaskState }>({
    name: "read_leaf_states",
    text: "select task_id, state from task_instance where run_id = $1 and task_id = any ($2)",
    values: [runId, graph.leaves],
  });
  const state = judgeRun(rows.map((row) => row.state));
  const failed = rows
    .filter((row) => row.state === "failed" || row.state === "upstream_failed")
    .map((row) => row.task_id);
  const reason = failed.length === 0 ? null : `failed because of ${failed.slice(0, 5).join(", ")}`;
  await tx.query({
    name: "end_run",
    text: "update dag_run set state = $2, end_date = $3, reason = $4 where id = $1",
    values: [runId, state, now, reason],
  });
  if (state === "failed") await pauseAfterFailures(tx, [runId]);
  await followRunEnd(tx, runId, graph, state, now);
  // A place among max_active_runs is free.
  await notifyWork(tx, "runs");
}

const INSTANCE_COLUMNS = `t.id, t.task_id, t.map_index, t.upstream_total, t.upstream_success, t.upstream_failed,
  t.upstream_upstream_failed, t.upstream_skipped, t.upstream_removed`;

export interface InstanceRow {
  id: string;
  task_id: string;
  map_index: number;
  upstream_total: number;
  upstream_success: number;
  upstream_failed: number;
  upstream_upstream_failed: number;
  upstream_skipped: number;
  upstream_removed: number;
}

export function toWaiting(row: InstanceRow): WaitingInstance {
  return {
    id: row.id,
    task_id: row.task_id,
    map_index: row.map_index,
    upstream: {
      total: row.upstream_total,
      success: row.upstream_success,
      failed: row.upstream_failed,
      upstream_failed: row.upstream_upstream_failed,
      skipped: row.upstream_skipped,
      removed: row.upstream_removed,
    },
  };
}
