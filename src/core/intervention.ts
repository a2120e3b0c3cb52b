// What a person's intervention reads and what it changes. One pure plan (plan-clear.ts, plan-mark.ts) makes the preview and
// is performed by store/intervene.ts: what was shown is what happens.

import { type DagGraph, isSameIndex, listAbove, listBelow } from "./graph.ts";
import { reach } from "./reach.ts";
import type { AttemptState, RunState, TaskState } from "./states.ts";

export interface InstanceSnapshot {
  id: string;
  task_id: string;
  /** -1: not mapped. */
  map_index: number;
  state: TaskState | null;
  try_number: number;
  max_tries: number;
  /** Of any of its attempts that has no outcome; null when none is under way. */
  attempt: { attempt_id: string; state: AttemptState } | null;
}

export interface RunSnapshot {
  id: number;
  dag_id: string;
  dag_run_id: string;
  state: RunState;
  version_id: number;
  graph: DagGraph;
  instances: InstanceSnapshot[];
}

export interface InstanceChange {
  id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  from: TaskState | null;
  /** restarting: its attempt is asked to end, then it becomes none and is judged like any other. */
  to: TaskState | null;
  max_tries: number;
  /** It is to be executed anew: its result and its faults are forgotten. */
  cleared: boolean;
  reason: string;
  /** The attempt that has to end: at once when it was never handed out, else by its executor. */
  stop: InstanceSnapshot["attempt"];
}

export interface RunPlan {
  run: RunSnapshot;
  changes: InstanceChange[];
  /** Mapped tasks and members of mapped groups that wait to be expanded again, their instances removed. */
  folded: string[];
  /** null: it stays as it is. */
  run_to: RunState | null;
  /** judged: from its leaves, once nothing is unfinished; forced: a person has said so. */
  run_by: "judged" | "forced";
  /** The newer version that it moves to, with tasks that it has no instances of. */
  move: { version_id: number; graph: DagGraph; added: string[] } | null;
  reason: string;
}

/** Whether an instance's reason says that a person decided on its state. */
export function isByPerson(reason: string | null): reason is string {
  return reason !== null && /^(marked \w+ by|cancelled by|taken over from) /.test(reason);
}

/** Ids, or one instance of a mapped task. */
export interface ChosenTask {
  task_id: string;
  /** null: all instances of the task. */
  map_index: number | null;
}

export interface Spread {
  upstream: boolean;
  downstream: boolean;
}

export type Selection = ReadonlyMap<string, ReadonlySet<number> | "all">;

/**
 * The chosen tasks with what lies above and below them; tasks the graph does not know are left out. Of an instance of a
 * mapped group, it is the same index in the group.
 */
export function selectTasks(
  graph: DagGraph,
  chosen: readonly ChosenTask[],
  spread: Spread,
): Map<string, Set<number> | "all"> {
  const selection = new Map<string, Set<number> | "all">();
  for (const { task_id, map_index } of chosen) {
    if (!graph.tasks.has(task_id)) continue;
    const known = selection.get(task_id);
    if (map_index === null || known === "all") selection.set(task_id, "all");
    else selection.set(task_id, new Set([...(known ?? []), map_index]));
  }
  const origins = [...selection];
  const add = (next: (id: string) => readonly string[]) => {
    for (const [origin, indices] of origins) {
      for (const id of reach([origin], next)) {
        const known = selection.get(id);
        if (indices === "all" || known === "all" || !isSameIndex(graph, origin, id)) selection.set(id, "all");
        else selection.set(id, new Set([...(known ?? []), ...indices]));
      }
    }
  };
  if (spread.upstream) add((id) => listAbove(graph, id));
  if (spread.downstream) add((id) => listBelow(graph, id));
  return selection;
}

/** Whether it is one of those that a map has now; an array that became too short leaves others, removed. */
export function isExpanded({ map_index, state }: { map_index: number; state: TaskState | null }): boolean {
  return map_index >= 0 && state !== "removed";
}

export function isSelected(selection: Selection, instance: { task_id: string; map_index: number }): boolean {
  const indices = selection.get(instance.task_id);
  return indices === "all" || (indices?.has(instance.map_index) ?? false);
}
