// Clearing: instances lose their state and are executed again when their trigger rules say so, with their tries granted anew.
// Attempts under way are ended first. A finished run is queued again; at the newest version, when that is asked for.

import { allowedOnInstance } from "./allowed-actions.ts";
import type { DagGraph } from "./graph.ts";
import {
  type ChosenTask,
  type InstanceChange,
  type InstanceSnapshot,
  isSelected,
  type RunPlan,
  type RunSnapshot,
  selectTasks,
  type Spread,
} from "./intervention.ts";
import type { TaskState } from "./states.ts";

export interface ClearRequest extends Spread {
  /** null: every task. */
  tasks: readonly ChosenTask[] | null;
  only_failed: boolean;
  only_running: boolean;
  /** null: the run keeps its version. */
  newest: { version_id: number; graph: DagGraph } | null;
  reason: string;
}

const FAILED: ReadonlySet<TaskState | null> = new Set<TaskState>(["failed", "upstream_failed"]);

export function planClear(run: RunSnapshot, request: ClearRequest): RunPlan {
  const move = planMove(run, request.newest);
  const graph = move?.graph ?? run.graph;
  const chosen = request.tasks ?? [...graph.tasks.keys()].map((task_id) => ({ task_id, map_index: null }));
  const selection = selectTasks(graph, chosen, request);
  const changes = run.instances.flatMap((instance): InstanceChange[] => {
    if (move && !graph.tasks.has(instance.task_id)) return planRemoval(instance, request.reason);
    // It vanished from an earlier version and is back.
    if (move && instance.state === "removed" && !run.graph.tasks.has(instance.task_id)) {
      return [clearOf(instance, graph, request.reason)];
    }
    const matches =
      (!request.only_failed || FAILED.has(instance.state)) && (!request.only_running || instance.state === "running");
    if (!matches || !isSelected(selection, instance) || !allowedOnInstance(instance.state).includes("clear")) return [];
    return [clearOf(instance, graph, request.reason)];
  });
  const touched = changes.length > 0 || (move?.added.length ?? 0) > 0;
  const hasEnded = run.state === "success" || run.state === "failed";
  return {
    run,
    changes,
    run_to: touched && hasEnded ? "queued" : null,
    run_by: "judged",
    move,
    reason: request.reason,
  };
}

export function clearOf(instance: InstanceSnapshot, graph: DagGraph, reason: string): InstanceChange {
  const retries = graph.tasks.get(instance.task_id)?.retries ?? 0;
  return {
    ...placeOf(instance),
    to: instance.attempt === null || instance.attempt.state === "queued" ? null : "restarting",
    max_tries: instance.try_number + retries + 1,
    cleared: true,
    reason,
    stop: instance.attempt,
  };
}

export function placeOf(instance: InstanceSnapshot) {
  const { id, task_id, map_index, try_number, state } = instance;
  return { id, task_id, map_index, try_number, from: state };
}

function planMove(run: RunSnapshot, newest: ClearRequest["newest"]): RunPlan["move"] {
  if (newest === null || newest.version_id === run.version_id) return null;
  const known = new Set(run.instances.map(({ task_id }) => task_id));
  return { ...newest, added: [...newest.graph.tasks.keys()].filter((taskId) => !known.has(taskId)) };
}

function planRemoval(instance: InstanceSnapshot, reason: string): InstanceChange[] {
  if (instance.state === "removed") return [];
  const { max_tries, attempt } = instance;
  const why = `its task is not in the version that the run was moved to: ${reason}`;
  return [{ ...placeOf(instance), to: "removed", max_tries, cleared: false, reason: why, stop: attempt }];
}
