// Clearing: instances lose their state and are executed again when their trigger rules say so, with their tries granted anew.
// Attempts under way are ended first. A mapped task that is cleared as a whole is expanded again: its instances are removed, and
// those that its arrays ask for are taken up again. A finished run is queued again; at the newest version, when asked for, where a
// task that has become mapped, or is no longer, begins anew.

import { allowedOnInstance } from "./allowed-actions.ts";
import { type DagGraph, listGroup } from "./graph.ts";
import {
  type ChosenTask,
  type InstanceChange,
  type InstanceSnapshot,
  isExpanded,
  isSelected,
  type RunPlan,
  type RunSnapshot,
  type Selection,
  selectSurroundings,
  selectTasks,
  type Spread,
} from "./intervention.ts";
import { findReshaped } from "./reshaped-tasks.ts";
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
  const selection = selectGroups(run, graph, request, selectTasks(graph, chosen, request));
  const reshaped = move ? findReshaped(run, graph) : new Set<string>();
  const folded = planFolds(run, graph, request, selection).difference(reshaped);
  const isChosen = (instance: InstanceSnapshot) =>
    isSelected(selection, instance) &&
    (!request.only_failed || FAILED.has(instance.state)) &&
    (!request.only_running || instance.state === "running") &&
    allowedOnInstance(instance.state).includes("clear");
  // Whatever they ended as: what was set up for the task may have been taken down since, unless it runs.
  const around = selectSurroundings(graph, collect(request.only_running ? [] : run.instances.filter(isChosen)));
  const changes = run.instances.flatMap((instance): InstanceChange[] => {
    if (move && !graph.tasks.has(instance.task_id)) return planRemoval(instance, request.reason);
    // It vanished from an earlier version and is back.
    if (move && instance.state === "removed" && instance.map_index < 0 && !run.graph.tasks.has(instance.task_id)) {
      return [clearOf(instance, graph, request.reason)];
    }
    if (reshaped.has(instance.task_id)) {
      if (isExpanded(instance)) return [removalOf(instance, RESHAPED + request.reason)];
      return isUntouched(instance) ? [] : [clearOf(instance, graph, request.reason)];
    }
    if (isExpanded(instance) && folded.has(instance.task_id)) return [removalOf(instance, FOLDED + request.reason)];
    const isAround = isSelected(around, instance) && allowedOnInstance(instance.state).includes("clear");
    return isAround || isChosen(instance) ? [clearOf(instance, graph, request.reason)] : [];
  });
  const touched = changes.length > 0 || (move?.added.length ?? 0) > 0;
  const hasEnded = run.state === "success" || run.state === "failed";
  return {
    run,
    changes,
    folded: [...folded],
    run_to: touched && hasEnded ? "queued" : null,
    run_by: "judged",
    ends_as: null,
    move,
    reason: request.reason,
  };
}

function collect(instances: readonly InstanceSnapshot[]): Selection {
  const byTask = Map.groupBy(instances, ({ task_id }) => task_id);
  return new Map([...byTask].map(([taskId, each]) => [taskId, new Set(each.map(({ map_index }) => map_index))]));
}

const FOLDED = "removed until its map is expanded again: ";
const RESHAPED = "its task is mapped otherwise in the version that the run was moved to: ";

/** Left behind by a map, or not begun. */
function isUntouched({ map_index, state, attempt }: InstanceSnapshot): boolean {
  return map_index >= 0 || (state === null && attempt === null);
}

/** A mapped group waits, and is expanded, as one: all of it is selected with any whole task of it. */
function selectGroups(run: RunSnapshot, graph: DagGraph, request: ClearRequest, selection: Selection): Selection {
  const expanded = new Set(run.instances.filter(isExpanded).map(({ task_id }) => task_id));
  const isPart = request.only_failed || request.only_running;
  const whole = [...selection].flatMap(([taskId, indices]) => {
    const group = listGroup(graph, taskId);
    // Of an expanded group, those that failed or run are executed again as they are.
    const isSplit = (indices !== "all" && !indices.has(-1)) || (isPart && group.some((id) => expanded.has(id)));
    return isSplit ? [] : group.map((id) => [id, "all"] as const);
  });
  return new Map([...selection, ...whole]);
}

/** The tasks whose instances go, because all of them are cleared and their arrays may be others now. */
function planFolds(run: RunSnapshot, graph: DagGraph, request: ClearRequest, selection: Selection): Set<string> {
  if (request.only_failed || request.only_running) return new Set();
  return new Set(
    run.instances.flatMap((one) =>
      isExpanded(one) && graph.tasks.has(one.task_id) && selection.get(one.task_id) === "all" ? [one.task_id] : [],
    ),
  );
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
  const known = new Set(run.instances.flatMap((one) => (one.map_index < 0 || isExpanded(one) ? [one.task_id] : [])));
  return { ...newest, added: [...newest.graph.tasks.keys()].filter((taskId) => !known.has(taskId)) };
}

function planRemoval(instance: InstanceSnapshot, reason: string): InstanceChange[] {
  if (instance.state === "removed") return [];
  return [removalOf(instance, `its task is not in the version that the run was moved to: ${reason}`)];
}

function removalOf(instance: InstanceSnapshot, reason: string): InstanceChange {
  const { max_tries, attempt } = instance;
  return { ...placeOf(instance), to: "removed", max_tries, cleared: false, reason, stop: attempt };
}
