// depends_on_past and wait_for_downstream: an instance that waits for one of the run before names it in its row, and goes on
// as soon as that one has succeeded, by whichever way.

import type { DagGraph } from "../core/graph.ts";
import type { TaskDefinition } from "../core/definition.ts";
import type { Queryable } from "./database.ts";

interface Dependent {
  instance: { id: string; dag_id: string; map_index: number; logical_date: Date | null };
  task: TaskDefinition | undefined;
  version: { graph: DagGraph };
}

export interface PastBlocker {
  id: string;
  reason: string;
}

/** By the id of the instance that is held back. A run without a logical date has none before it. */
export async function findPastBlockers(tx: Queryable, all: readonly Dependent[]): Promise<Map<string, PastBlocker>> {
  const wanted = all.flatMap(({ instance, task, version }) => {
    const { logical_date } = instance;
    if (!task || logical_date === null || !(task.depends_on_past || task.wait_for_downstream)) return [];
    const after = task.wait_for_downstream ? (version.graph.downstream.get(task.task_id) ?? []) : [];
    const own = { ...instance, logical_date, task_id: task.task_id, map_index: instance.map_index as number | null };
    return [own, ...after.map((task_id) => ({ ...own, task_id, map_index: null }))];
  });
  if (wanted.length === 0) return new Map();
  const { rows } = await tx.query<{
    id: string;
    blocker: string;
    task_id: string;
    dag_run_id: string;
    is_own: boolean;
  }>({
    name: "past_blockers",
    // The same instance of a map, or the whole map where it has not been expanded; of the downstream any.
    text: `
      select w.id, b.id as blocker, w.task_id, p.dag_run_id, w.map_index is not null as is_own
      from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::int[])
          as w (id, dag_id, logical_date, task_id, map_index)
        cross join lateral (
          select r.id, r.dag_run_id from dag_run r where r.dag_id = w.dag_id and r.logical_date < w.logical_date
          order by r.logical_date desc limit 1) p
        cross join lateral (
          select t.id, t.state from task_instance t where t.run_id = p.id and t.task_id = w.task_id
            and case when w.map_index is null then coalesce(t.state, '') not in ('success', 'skipped', 'removed')
              else t.map_index in (w.map_index, -1) end
          order by t.map_index = w.map_index desc, t.map_index limit 1) b
      where coalesce(b.state, '') not in ('success', 'skipped', 'removed')`,
    values: [
      wanted.map((row) => row.id),
      wanted.map((row) => row.dag_id),
      wanted.map((row) => row.logical_date),
      wanted.map((row) => row.task_id),
      wanted.map((row) => row.map_index),
    ],
  });
  const blockers = new Map<string, PastBlocker>();
  for (const { id, blocker, task_id, dag_run_id, is_own } of rows) {
    if (blockers.has(id) && !is_own) continue;
    const rule = is_own ? "depends_on_past" : "wait_for_downstream";
    const reason = `waits for task "${task_id}" of the run before, "${dag_run_id}", to succeed or be skipped (${rule})`;
    blockers.set(id, { id: blocker, reason });
  }
  return blockers;
}

/** Those whose past has succeeded, or is gone, are judged anew. Reads what waits for a past and nothing else. */
export async function releaseFromPast(tx: Queryable): Promise<void> {
  await tx.query({
    name: "release_from_past",
    text: `
      update task_instance t set waits_for = null, reason = null
      from (select w.id from task_instance w left join task_instance p on p.id = w.waits_for
          where w.state = 'scheduled' and w.waits_for is not null
            and (p.id is null or p.state in ('success', 'skipped', 'removed'))) released
      where t.id = released.id`,
  });
}
