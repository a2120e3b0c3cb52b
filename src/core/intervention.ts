// What a person's intervention reads and what it changes. One pure plan (plan-clear.ts, plan-mark.ts) makes the preview and
// is performed by store/intervene.ts: what was shown is what happens.

import type { DagGraph } from "./graph.ts";
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

/** The chosen tasks with what lies above and below them; tasks the graph does not know are left out. */
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
  const ids = [...selection.keys()];
  if (spread.upstream) for (const id of reach(ids, (task) => graph.tasks.get(task)?.upstream)) selection.set(id, "all");
  if (spread.downstream) for (const id of reach(ids, (task) => graph.downstream.get(task))) selection.set(id, "all");
  return selection;
}

/** Whatever can be reached from `ids`, themselves left out unless there is a way back. */
export function reach(ids: Iterable<string>, next: (id: string) => readonly string[] | undefined): Set<string> {
  const found = new Set([...ids].flatMap((id) => next(id) ?? []));
  // The set grows while it is walked.
  for (const id of found) for (const other of next(id) ?? []) found.add(other);
  return found;
}

export function isSelected(selection: Selection, instance: { task_id: string; map_index: number }): boolean {
  const indices = selection.get(instance.task_id);
  return indices === "all" || (indices?.has(instance.map_index) ?? false);
}
