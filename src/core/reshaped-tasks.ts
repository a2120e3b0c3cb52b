// Which tasks begin anew when a run moves to another version, because their instances there are none here: a task that has become
// mapped or is no longer, that has come into a mapped group or left it, and a group that new tasks find closed.

import { type DagGraph, listGroup } from "./graph.ts";
import { isExpanded, type RunSnapshot } from "./intervention.ts";

/** @param graph of the version that the run moves to */
export function findReshaped(run: RunSnapshot, graph: DagGraph): Set<string> {
  const fresh = new Set([...graph.tasks.keys()].filter((id) => shapeOf(run.graph, id) !== shapeOf(graph, id)));
  const reshaped = [...fresh].filter((id) => run.graph.tasks.has(id));
  const expanded = new Set(
    run.instances.flatMap((one) => (isExpanded(one) && !fresh.has(one.task_id) ? [one.task_id] : [])),
  );
  // Its expander may have ended, and there are no instances that new members could stand beside.
  const closed = [...graph.members].filter(
    ([, members]) => members.some((id) => fresh.has(id)) && !members.some((id) => expanded.has(id)),
  );
  return new Set([...reshaped, ...closed.flatMap(([expander]) => listGroup(graph, expander))]);
}

/** What a task's instances are numbered by. */
function shapeOf(graph: DagGraph, taskId: string): string | null {
  const task = graph.tasks.get(taskId);
  if (!task) return null;
  if (task.kind === "expand") return "one for its group";
  const expander = graph.expandedBy.get(taskId);
  return expander === undefined ? (task.map ? "its items" : "one") : `the items of group ${expander}`;
}
