// Puts a run onto another version of its DAG, and lays its instances out anew: one for each task that has none, of added tasks
// and of those that are to be expanded again, as many as the others have in a group that is expanded, and what all of them wait
// for now.

import type { DagGraph } from "../core/graph.ts";
import { planTotals } from "../core/mapping.ts";
import type { Queryable } from "./database.ts";
import { insertInstances } from "./map-expansion.ts";

export async function moveRunToVersion(tx: Queryable, runId: number, versionId: number): Promise<void> {
  await tx.query({
    name: "move_run",
    text: "update dag_run set version_id = $2 where id = $1",
    values: [runId, versionId],
  });
}

export async function layOutInstances(tx: Queryable, runId: number, graph: DagGraph, now: Date): Promise<void> {
  const tasks = [...graph.tasks.values()];
  await tx.query({
    name: "add_missing_instances",
    text: `
      insert into task_instance (run_id, task_id, map_index, state, try_number, max_tries, epoch, infrastructure_failures,
        upstream_total, upstream_success, upstream_failed, upstream_upstream_failed, upstream_skipped, upstream_removed,
        setup_total, counted)
      select $1, task.task_id, -1, null, 0, task.max_tries, 0, 0, 0, 0, 0, 0, 0, 0, 0, false
      from unnest($2::text[], $3::int[]) as task (task_id, max_tries)
      where not exists (select from task_instance known where known.run_id = $1 and known.task_id = task.task_id
        and (known.map_index = -1 or known.state is distinct from 'removed'))`,
    values: [runId, tasks.map(({ task_id }) => task_id), tasks.map(({ retries }) => retries + 1)],
  });
  await joinExpandedGroups(tx, runId, graph, now);
  await setTotals(tx, runId, graph);
}

/** A task that is new in a group which is expanded gets an instance for each of the group's items. */
async function joinExpandedGroups(tx: Queryable, runId: number, graph: DagGraph, now: Date): Promise<void> {
  const members = [...graph.expandedBy.keys()];
  if (members.length === 0) return;
  const { rows } = await tx.query<{ task_id: string; map_index: number; positions: number[]; label: string | null }>({
    name: "read_members",
    text: `select task_id, map_index, map_positions as positions, rendered_map_index as label from task_instance
      where run_id = $1 and task_id = any ($2) and (map_index = -1 or state is distinct from 'removed')
      order by task_id, map_index`,
    values: [runId, members],
  });
  const instances = Map.groupBy(rows, ({ task_id }) => task_id);
  for (const ofGroup of graph.members.values()) {
    const isExpanded = (taskId: string) => (instances.get(taskId)?.[0]?.map_index ?? -1) >= 0;
    const example = instances.get(ofGroup.find(isExpanded) ?? "");
    const joining = ofGroup.filter((taskId) => !isExpanded(taskId));
    if (!example || joining.length === 0) continue;
    const positions = example.map((one) => one.positions);
    const labels = example.map((one) => one.label);
    await insertInstances(tx, runId, joining, { positions, labels, scheduled: false }, now);
  }
}

async function setTotals(tx: Queryable, runId: number, graph: DagGraph): Promise<void> {
  const { rows } = await tx.query<{ task_id: string; length: number }>({
    name: "count_expanded",
    text: `select task_id, count(*) as length from task_instance
      where run_id = $1 and map_index >= 0 and state is distinct from 'removed' group by task_id`,
    values: [runId],
  });
  const totals = planTotals(graph, new Map(rows.map(({ task_id, length }) => [task_id, length])));
  await tx.query({
    name: "set_totals",
    text: `update task_instance t set upstream_total = n.upstream, setup_total = n.setups
      from unnest($2::text[], $3::int[], $4::int[]) as n (task_id, upstream, setups)
      where t.run_id = $1 and t.task_id = n.task_id`,
    values: [
      runId,
      totals.map(({ task_id }) => task_id),
      totals.map(({ upstream }) => upstream),
      totals.map(({ setups }) => setups),
    ],
  });
}
