// A DAG's edges, indexed once per version for the rules that walk them.

import type { CallbackEvent } from "./callback.ts";
import { type Deciders, indexDeciders } from "./decision.ts";
import type { DagDefinition, TaskDefinition } from "./definition.ts";

export interface DagGraph {
  dag_id: string;
  tasks: ReadonlyMap<string, TaskDefinition>;
  /** Direct downstream task ids of every task. */
  downstream: ReadonlyMap<string, readonly string[]>;
  /** Tasks without downstream: their states decide how a run ends. */
  leaves: readonly string[];
  /** Task ids, upstream first; ties in the order of the definition. */
  order: readonly string[];
  deciders: Deciders;
  /** Events of runs that the author wants to hear of. */
  run_callbacks: readonly CallbackEvent[];
}

export function indexDag(definition: DagDefinition): DagGraph {
  const tasks = new Map(definition.tasks.map((task) => [task.task_id, task]));
  const downstream = new Map<string, string[]>(definition.tasks.map((task) => [task.task_id, []]));
  for (const task of definition.tasks) {
    for (const upstream of task.upstream) downstream.get(upstream)?.push(task.task_id);
  }
  return {
    dag_id: definition.dag_id,
    tasks,
    downstream,
    leaves: definition.tasks.map((task) => task.task_id).filter((id) => downstream.get(id)?.length === 0),
    order: sortTopologically(definition.tasks, downstream),
    deciders: indexDeciders(definition, downstream),
    run_callbacks: definition.callbacks ?? [],
  };
}

/** Tasks on a cycle are left out: compare the length to find that there is one. */
function sortTopologically(
  tasks: readonly TaskDefinition[],
  downstream: ReadonlyMap<string, readonly string[]>,
): string[] {
  const waitingFor = new Map(tasks.map((task) => [task.task_id, task.upstream.length]));
  const order = tasks.filter((task) => task.upstream.length === 0).map((task) => task.task_id);
  // `order` grows while it is walked: every task enters once its last upstream is in.
  for (const taskId of order) {
    for (const next of downstream.get(taskId) ?? []) {
      const left = (waitingFor.get(next) ?? 0) - 1;
      waitingFor.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return order;
}
