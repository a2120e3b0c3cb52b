// Moves runs on: counts finished instances into their downstream, schedules what has become ready, ends
// runs with nothing left. Each run is advanced in one transaction under its row's lock, by plans that core/ makes.

import {
  explainFailure,
  judgeRun,
  type FinishedInstance,
  planGroupEnds,
  type WaitingInstance,
} from "../core/plan-advance.ts";
import type { DagGraph } from "../core/graph.ts";
import type { FinishedTaskState, RunEnd } from "../core/states.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { pauseAfterFailures } from "./pause-dag.ts";
import { type Expansion, expandInstance } from "./map-expansion.ts";
import { endMembers, growCounters, performMoves, readWaiting } from "./waiting-instances.ts";
import { followRunEnd } from "./callbacks.ts";
import { workOnRun } from "./run-fault.ts";
import { planDecidedMoves } from "./decisions.ts";
import { notifyWork } from "./wake-up.ts";

export interface AdvancedRun {
  run_id: number;
  counted: number;
  scheduled: number;
  ended: number;
}

export interface LockedRun {
  id: number;
  version_id: number;
  unfinished: number;
}

/**
 * Advances one run that has uncounted instances, the next after run `last`, or else the first; null when there is none, but for
 * those `aside`, that no other scheduler holds. Throws a RunFault.
 */
export async function advanceNextRun(
  db: Database,
  versions: VersionCache,
  now: Date,
  { last, aside }: { last: number; aside: readonly number[] } = { last: 0, aside: [] },
): Promise<AdvancedRun | null> {
  const lock = async (tx: Queryable) =>
    (await lockRunAfter(tx, last, aside)) ?? (last > 0 ? lockRunAfter(tx, 0, aside) : undefined);
  return workOnRun(db, lock, async (tx, run) => {
    const { graph } = await versions.loadVersion(tx, run.version_id);
    const { counted, waiting } = await countFinished(tx, run, graph);
    const settled = await settleRun(tx, run, graph, waiting, now);
    return { run_id: run.id, counted, ...settled };
  });
}

async function lockRunAfter(tx: Queryable, last: number, aside: readonly number[]): Promise<LockedRun | undefined> {
  // skip locked: a run is advanced by one scheduler at a time, others take the next.
  const { rows } = await tx.query<LockedRun>({
    name: "lock_run_to_advance",
    text: `
      select id, version_id, unfinished from dag_run r
      where state = 'running' and id > $1 and id <> all ($2) and exists (
        select from task_instance t where t.run_id = r.id and not t.counted
          and t.state in ('success', 'failed', 'upstream_failed', 'skipped', 'removed'))
      order by id limit 1 for no key update skip locked`,
    values: [last, aside],
  });
  return rows[0];
}

/**
 * Ends a running run in which nothing is under way and nothing can follow any more, or lets go on what had been forgotten.
 * Both would be a fault of ours; a run that waits for ever would hide it. Throws a RunFault.
 */
export async function endDeadlockedRun(
  db: Database,
  versions: VersionCache,
  now: Date,
  aside: readonly number[] = [],
): Promise<boolean> {
  const lock = async (tx: Queryable) => {
    const { rows } = await tx.query<LockedRun>({
      name: "find_deadlocked_run",
      text: `
        select id, version_id, unfinished from dag_run r
        where state = 'running' and id <> all ($1)
          and not exists (select from task_instance t where t.run_id = r.id and t.state in ('queued', 'running'))
          and not exists (select from task_instance t where t.run_id = r.id and t.state = 'scheduled')
          and not exists (
            select from task_instance t where t.run_id = r.id and (not t.counted and t.state is not null
              or t.state in ('restarting', 'up_for_retry', 'up_for_reschedule', 'deferred')))
        order by id limit 1 for no key update skip locked`,
      values: [aside],
    });
    return rows[0];
  };
  const ended = await workOnRun(db, lock, async (tx, run) => {
    const { graph } = await versions.loadVersion(tx, run.version_id);
    const waiting = await readWaiting(tx, run.id, [...graph.tasks.keys()]);
    const plan = await planDecidedMoves(tx, run.id, graph, waiting);
    if (plan.moves.length + plan.expand.length > 0) {
      await settleRun(tx, run, graph, waiting, now);
    } else if (waiting.length === 0) {
      await endRun(tx, run.id, graph, now);
    } else {
      const names = [...new Set(waiting.map(({ task_id }) => task_id))].slice(0, 5).join(", ");
      await tx.query({
        name: "end_deadlocked_run",
        text: "update dag_run set state = 'failed', end_date = $2, reason = $3 where id = $1",
        values: [run.id, now, `all tasks are deadlocked: nothing runs that ${names} could go on waiting for`],
      });
      await followRunEnd(tx, run.id, graph, "failed", now);
      await notifyWork(tx, "runs");
    }
    return true;
  });
  return ended ?? false;
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
      returning task_id, map_index, state`,
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
    const plan = await planDecidedMoves(tx, run.id, graph, waiting);
    const expansions: Expansion[] = [];
    for (const instance of plan.expand) expansions.push(await expandInstance(tx, run.id, graph, instance, now));
    const moves = [...plan.moves, ...expansions.flatMap(({ move }) => (move ? [move] : []))];
    if (moves.length + expansions.length === 0) break;
    await performMoves(tx, moves, now);
    const moved = moves.flatMap(({ task_id, map_index, to }) =>
      to === "scheduled" ? [] : [{ task_id, map_index, state: to }],
    );
    const finished = [...moved, ...(await endMembers(tx, run.id, planGroupEnds(graph, moved), now))];
    scheduled += moves.length - moved.length + expansions.reduce((sum, each) => sum + each.scheduled, 0);
    unfinished += expansions.reduce((sum, each) => sum + each.added, 0) - finished.length;
    const grown = await growCounters(tx, run.id, graph, finished);
    const fresh = expansions.flatMap((expansion) => expansion.fresh);
    const expanded = fresh.length === 0 ? [] : await readWaiting(tx, run.id, fresh);
    // Once each: what was read last has the counters as they are.
    waiting = [...new Map([...grown, ...expanded].map((instance) => [instance.id, instance])).values()];
  }
  await setUnfinished(tx, run.id, unfinished);
  // Those that finished may be what an instance of a later run waits for.
  await notifyWork(tx, "queue");
  if (unfinished > 0) return { scheduled, ended: 0 };
  await endRun(tx, run.id, graph, now);
  return { scheduled, ended: 1 };
}

/** How many instances of a run have not finished. What had kept a run from going on does so no more. */
export async function setUnfinished(tx: Queryable, runId: number, unfinished: number): Promise<void> {
  await tx.query({
    name: "set_unfinished",
    text: `update dag_run set unfinished = $2,
      reason = case when state = 'running' and ends_as is null then null else reason end where id = $1`,
    values: [runId, unfinished],
  });
}

async function endRun(tx: Queryable, runId: number, graph: DagGraph, now: Date): Promise<void> {
  const { rows } = await tx.query<{
    ends_as: RunEnd | null;
    reason: string | null;
    task_id: string;
    state: FinishedTaskState;
  }>({
    name: "read_leaf_states",
    text: `select r.ends_as, r.reason, t.task_id, t.state from dag_run r join task_instance t on t.run_id = r.id
      where r.id = $1 and t.task_id = any ($2)`,
    values: [runId, graph.leaves],
  });
  const { ends_as: said = null, reason = null } = rows[0] ?? {};
  const state = said ?? judgeRun(rows.map((row) => row.state));
  await tx.query({
    name: "end_run",
    text: "update dag_run set state = $2, end_date = $3, reason = $4, ends_as = null where id = $1",
    values: [runId, state, now, said === null ? explainFailure(rows) : reason],
  });
  if (said === null && state === "failed") await pauseAfterFailures(tx, [runId]);
  await followRunEnd(tx, runId, graph, state, now);
  // A place among max_active_runs is free.
  await notifyWork(tx, "runs");
}
