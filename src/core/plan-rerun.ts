// A new run from the middle of an old one: the chosen tasks and all below them are executed, what else had succeeded or been
// skipped is taken over with its result.

import { type InstanceSnapshot, listAbove, listBelow, reach, type RunSnapshot } from "./intervention.ts";
import type { DagGraph } from "./graph.ts";

export interface TakenOver {
  task_id: string;
  state: "success" | "skipped";
  source_id: string;
}

export interface RerunPlan {
  taken: TakenOver[];
  /** In the order of the graph. */
  executed: string[];
}

/** @param graph of the version that the new run gets, which knows the chosen tasks */
export function planRerun(source: RunSnapshot, graph: DagGraph, chosen: readonly string[]): RerunPlan {
  const anew = new Set([...chosen, ...reach(chosen, (id) => listBelow(graph, id))]);
  const instances = Map.groupBy(source.instances, ({ task_id }) => task_id);
  const taken = new Map<string, TakenOver>();
  for (const taskId of graph.order) {
    if (anew.has(taskId)) continue;
    // Below something that is executed anew, an old result would not belong to the run.
    const isWhole = listAbove(graph, taskId).every((id) => taken.has(id));
    const state = isWhole && !graph.members.has(taskId) ? stateOf(instances.get(taskId)) : null;
    if (state) taken.set(taskId, state);
  }
  return { taken: [...taken.values()], executed: graph.order.filter((id) => !taken.has(id)) };
}

/** Mapped tasks and groups are executed anew: their instances are made from arrays that the new run may change. */
function stateOf(instances: readonly InstanceSnapshot[] | undefined): TakenOver | null {
  const [only, ...others] = instances ?? [];
  if (!only || others.length > 0 || only.map_index !== -1) return null;
  if (only.state !== "success" && only.state !== "skipped") return null;
  return { task_id: only.task_id, state: only.state, source_id: only.id };
}
