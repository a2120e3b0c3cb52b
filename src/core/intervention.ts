// What a person's intervention reads and what it changes. One pure plan (plan-clear.ts, plan-mark.ts) makes the preview and
// is performed by store/intervene.ts: what was shown is what happens.

import { type DagGraph, isSameIndex, listAbove, listBelow } from "./graph.ts";
import { reach } from "./reach.ts";
import type { AttemptState, RunEnd, RunState, TaskState } from "./states.ts";

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
  /** judged: once nothing is unfinished; forced: at once, as a person has said. */
  run_by: "judged" | "forced";
  /** What a person has said that it ends as, once its teardowns are over; null: its leaves decide. */
  ends_as: RunEnd | null;
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

/** What is executed again with a task: the setups that it needs, directly or not, and the teardowns of setups. */
export function listSurroundings(graph: DagGraph, taskId: string): ReadonlySet<string> {
  const isA = (role: "setup" | "teardown") => (id: string) => graph.tasks.get(id)?.role === role;
  const teardownsOf = (id: string) => (graph.downstream.get(id) ?? []).filter(isA("teardown"));
  const found = new Set([taskId]);
  // The set grows while it is walked.
  for (const id of found) {
    if (isA("teardown")(id)) continue;
    const direct = (graph.tasks.get(id)?.upstream ?? []).filter(isA("setup"));
    const below = direct.length === 0 ? new Set() : reach([id], (each) => graph.downstream.get(each));
    // One that is torn down before the task is not there for it.
    const needed = direct.filter((setup) => {
      const teardowns = teardownsOf(setup);
      return teardowns.length === 0 || teardowns.some((each) => below.has(each));
    });
    const own = isA("setup")(id) ? teardownsOf(id) : [];
    for (const other of [...needed, ...(graph.setups.get(id) ?? []), ...own]) found.add(other);
  }
  found.delete(taskId);
  return found;
}

/**
 * The chosen tasks with what lies above and below them; tasks the graph does not know are left out. Of an instance of a
 * mapped group, it is the same index in the group.
 */
export function selectTasks(graph: DagGraph, chosen: readonly ChosenTask[], spread: Spread): Selection {
  const selection = new Map<string, ReadonlySet<number> | "all">();
  for (const { task_id, map_index } of chosen) {
    if (!graph.tasks.has(task_id)) continue;
    const known = selection.get(task_id);
    if (map_index === null || known === "all") selection.set(task_id, "all");
    else selection.set(task_id, new Set([...(known ?? []), map_index]));
  }
  const origins = [...selection];
  if (spread.upstream) grow(graph, selection, origins, (origin) => reach([origin], (id) => listAbove(graph, id)));
  if (spread.downstream) grow(graph, selection, origins, (origin) => reach([origin], (id) => listBelow(graph, id)));
  return selection;
}

/** The setups and teardowns of what is selected. */
export function selectSurroundings(graph: DagGraph, selection: Selection): Selection {
  const around = new Map<string, ReadonlySet<number> | "all">();
  grow(graph, around, [...selection], (origin) => listSurroundings(graph, origin));
  return around;
}

function grow(
  graph: DagGraph,
  selection: Map<string, ReadonlySet<number> | "all">,
  origins: Iterable<readonly [string, ReadonlySet<number> | "all"]>,
  listOthers: (origin: string) => ReadonlySet<string>,
): void {
  for (const [origin, indices] of origins) {
    for (const id of listOthers(origin)) {
      const known = selection.get(id);
      if (indices === "all" || known === "all" || !isSameIndex(graph, origin, id)) selection.set(id, "all");
      else selection.set(id, new Set([...(known ?? []), ...indices]));
    }
  }
}

/** Whether it is one of those that a map has now; an array that became too short leaves others, removed. */
export function isExpanded({ map_index, state }: { map_index: number; state: TaskState | null }): boolean {
  return map_index >= 0 && state !== "removed";
}

export function isSelected(selection: Selection, instance: { task_id: string; map_index: number }): boolean {
  const indices = selection.get(instance.task_id);
  return indices === "all" || (indices?.has(instance.map_index) ?? false);
}
