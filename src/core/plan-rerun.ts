// A new run from the middle of an old one: the chosen tasks and all below them are executed, what else had succeeded or been
// skipped is taken over with its results, all of a map's instances as the one task that they are. What is executed is set up
// anew and torn down again.

import { type DagGraph, listAbove, listBelow } from "./graph.ts";
import { type InstanceSnapshot, listSurroundings, type RunSnapshot } from "./intervention.ts";
import { reach } from "./reach.ts";
import { findReshaped } from "./reshaped-tasks.ts";

export interface TakenInstance {
  map_index: number;
  state: "success" | "skipped";
  source_id: string;
}

export interface TakenOver {
  task_id: string;
  /** skipped: all of its instances were. */
  state: "success" | "skipped";
  /** One with the index -1, or those of a map, by their indexes. */
  instances: readonly TakenInstance[];
}

export interface RerunPlan {
  taken: TakenOver[];
  /** In the order of the graph. */
  executed: string[];
}

/** @param graph of the version that the new run gets, which knows the chosen tasks */
export function planRerun(source: RunSnapshot, graph: DagGraph, chosen: readonly string[]): RerunPlan {
  const instances = Map.groupBy(source.instances, ({ task_id }) => task_id);
  const anew = new Set([...chosen, ...reach(chosen, (id) => listBelow(graph, id)), ...findReshaped(source, graph)]);
  const setups = new Set<string>();
  for (;;) {
    const taken = takeOver(graph, instances, anew, setups);
    const around = graph.order.filter((id) => !taken.has(id)).flatMap((id) => [...listSurroundings(graph, id)]);
    const lacking = around.filter((id) => taken.has(id));
    if (lacking.length > 0) {
      for (const id of lacking) {
        anew.add(id);
        if (graph.tasks.get(id)?.role === "setup") setups.add(id);
      }
      continue;
    }
    // Members that are executed run over the items of others: without them their group is expanded anew.
    const hasItems = (id: string) => {
      const task = taken.get(id);
      return task !== undefined && isTakenMap(task);
    };
    const empty = [...graph.members].find(
      ([id, members]) => taken.has(id) && !members.every((each) => taken.has(each)) && !members.some(hasItems),
    );
    if (!empty) return { taken: [...taken.values()], executed: graph.order.filter((id) => !taken.has(id)) };
    anew.add(empty[0]);
  }
}

/** @param setups that are executed for others than what stands below them */
function takeOver(
  graph: DagGraph,
  instances: ReadonlyMap<string, readonly InstanceSnapshot[]>,
  anew: ReadonlySet<string>,
  setups: ReadonlySet<string>,
): Map<string, TakenOver> {
  const taken = new Map<string, TakenOver>();
  for (const taskId of graph.order) {
    // Below something that is executed anew, an old result would not belong to the run.
    const isWhole = !anew.has(taskId) && listAbove(graph, taskId).every((id) => taken.has(id) || setups.has(id));
    const own = isWhole ? takeTask(taskId, instances.get(taskId) ?? []) : null;
    if (own) taken.set(taskId, own);
  }
  return taken;
}

/** null: not all of its instances succeeded or were skipped. */
function takeTask(taskId: string, instances: readonly InstanceSnapshot[]): TakenOver | null {
  // What a longer array has left behind is nobody's.
  const present = instances.filter(({ map_index, state }) => map_index < 0 || state !== "removed");
  const taken = present.flatMap(({ id, map_index, state }): TakenInstance[] =>
    state === "success" || state === "skipped" ? [{ map_index, state, source_id: id }] : [],
  );
  if (taken.length === 0 || taken.length < present.length) return null;
  const state = taken.some((one) => one.state === "success") ? "success" : "skipped";
  return { task_id: taskId, state, instances: taken.toSorted((a, b) => a.map_index - b.map_index) };
}

/** Whether it is a map that was expanded. */
export function isTakenMap({ instances }: TakenOver): boolean {
  return (instances[0]?.map_index ?? -1) >= 0;
}
