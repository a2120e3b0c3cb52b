// Instances that wait for others, with their counters: read, grown, and moved, each in one statement for any number of them.

import type { DagGraph } from "../core/graph.ts";
import type { Totals } from "../core/mapping.ts";
import {
  COUNTERS,
  type FinishedInstance,
  type GroupEnd,
  type Move,
  planCounterGrowth,
  type WaitingInstance,
} from "../core/plan-advance.ts";
import type { Queryable } from "./database.ts";

export const INSTANCE_COLUMNS = `t.id, t.task_id, t.map_index, t.state, t.upstream_total, t.upstream_success, t.upstream_failed,
  t.upstream_upstream_failed, t.upstream_skipped, t.upstream_removed, t.setup_total, t.setup_success, t.setup_failed,
  t.setup_skipped`;

export interface InstanceRow {
  id: string;
  task_id: string;
  map_index: number;
  state: string | null;
  upstream_total: number;
  upstream_success: number;
  upstream_failed: number;
  upstream_upstream_failed: number;
  upstream_skipped: number;
  upstream_removed: number;
  setup_total: number;
  setup_success: number;
  setup_failed: number;
  setup_skipped: number;
}

/** Without those that wait no more. */
export function toWaiting(rows: readonly InstanceRow[]): WaitingInstance[] {
  return rows.flatMap((row) => {
    if (row.state !== null) return [];
    return [
      {
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
        setups: {
          total: row.setup_total,
          success: row.setup_success,
          failed: row.setup_failed,
          skipped: row.setup_skipped,
        },
      },
    ];
  });
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
  return toWaiting(rows);
}

/** All that wait of some tasks. */
export async function readWaiting(
  tx: Queryable,
  runId: number,
  taskIds: readonly string[],
): Promise<WaitingInstance[]> {
  const { rows } = await tx.query<InstanceRow>({
    name: "read_waiting",
    text: `select ${INSTANCE_COLUMNS} from task_instance t where t.run_id = $1 and t.task_id = any ($2) and t.state is null`,
    values: [runId, taskIds],
  });
  return toWaiting(rows);
}

/** Adds finished instances to their downstream's counters; returns those of the downstream that still wait. */
export async function growCounters(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  finished: readonly FinishedInstance[],
): Promise<WaitingInstance[]> {
  const growth = planCounterGrowth(graph, finished);
  if (growth.length === 0) return [];
  const { rows } = await tx.query<InstanceRow>({
    name: "grow_counters",
    // A range of indexes, so that one instance and all of a task are found by the same index; by its whole key, which
    // "offset 0" makes sure of: a join may read all of the task's instances for each one that grows.
    text: `
      update task_instance t set
        upstream_success = t.upstream_success + g.success, upstream_failed = t.upstream_failed + g.failed,
        upstream_upstream_failed = t.upstream_upstream_failed + g.upstream_failed,
        upstream_skipped = t.upstream_skipped + g.skipped, upstream_removed = t.upstream_removed + g.removed,
        setup_success = t.setup_success + g.setup_success, setup_failed = t.setup_failed + g.setup_failed,
        setup_skipped = t.setup_skipped + g.setup_skipped
      from unnest($2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[], $10::int[],
          $11::int[], $12::int[])
        as g (task_id, first, last, success, failed, upstream_failed, skipped, removed, setup_success, setup_failed,
          setup_skipped)
        cross join lateral (
          select id from task_instance
          where run_id = $1 and task_id = g.task_id and map_index between g.first and g.last offset 0) found
      where t.id = found.id
      returning ${INSTANCE_COLUMNS}`,
    values: [
      runId,
      growth.map((entry) => entry.task_id),
      growth.map((entry) => entry.map_index ?? -1),
      growth.map((entry) => entry.map_index ?? 2 ** 31 - 1),
      ...COUNTERS.map((name) => growth.map((entry) => entry[name])),
    ],
  });
  return toWaiting(rows);
}

/** More instances to wait for, after an expansion. */
export async function growTotals(tx: Queryable, runId: number, growth: readonly Totals[]): Promise<void> {
  if (growth.length === 0) return;
  await tx.query({
    name: "grow_totals",
    text: `
      update task_instance t set upstream_total = t.upstream_total + g.upstream, setup_total = t.setup_total + g.setups
      from unnest($2::text[], $3::int[], $4::int[]) as g (task_id, upstream, setups)
      where t.run_id = $1 and t.task_id = g.task_id`,
    values: [
      runId,
      growth.map((entry) => entry.task_id),
      growth.map((entry) => entry.upstream),
      growth.map((entry) => entry.setups),
    ],
  });
}

/** What an instance is moved to. */
export interface InstanceMove extends Omit<Move, "to"> {
  to: Move["to"] | "failed";
}

export async function performMoves(tx: Queryable, moves: readonly InstanceMove[], now: Date): Promise<void> {
  if (moves.length === 0) return;
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

/** Ends the unexpanded members of groups, which have nothing to run on. */
export async function endMembers(
  tx: Queryable,
  runId: number,
  ends: readonly GroupEnd[],
  now: Date,
): Promise<FinishedInstance[]> {
  if (ends.length === 0) return [];
  const members = ends.flatMap((end) => end.members.map((task_id) => ({ ...end, task_id })));
  const { rows } = await tx.query<FinishedInstance>({
    name: "end_members",
    text: `
      update task_instance t set state = m.state, reason = m.reason, counted = true, end_date = $5
      from unnest($2::text[], $3::text[], $4::text[]) as m (task_id, state, reason)
      where t.run_id = $1 and t.task_id = m.task_id and t.map_index = -1 and t.state is null
      returning t.task_id, t.map_index, t.state`,
    values: [
      runId,
      members.map((member) => member.task_id),
      members.map((member) => member.state),
      members.map((member) => member.reason),
      now,
    ],
  });
  return rows;
}
