// Marking: a person says how instances, or a whole run, have ended. Attempts under way are ended; downstream counts what was
// said. Below a success or a skip, instances that never ran because of a failure above are judged anew.

import { allowedOnInstance, type InstanceAction } from "./allowed-actions.ts";
import { isSameIndex, listBelow, listGroup } from "./graph.ts";
import {
  type ChosenTask,
  type InstanceChange,
  type InstanceSnapshot,
  isExpanded,
  isSelected,
  type RunPlan,
  type RunSnapshot,
  selectTasks,
  type Spread,
} from "./intervention.ts";
import { clearOf, placeOf } from "./plan-clear.ts";
import { reach } from "./reach.ts";
import { isFinishedTaskState, type RunEnd, type TaskState } from "./states.ts";

export const MARKS = ["success", "failed", "skipped"] as const;
export type Mark = (typeof MARKS)[number];

export interface MarkRequest extends Spread {
  tasks: readonly ChosenTask[];
  /** cancelled: failed, for what has not ended. */
  as: Mark | "cancelled";
  reason: string;
}

const ACTION: Record<MarkRequest["as"], InstanceAction> = {
  success: "mark_success",
  failed: "mark_failed",
  skipped: "mark_skipped",
  cancelled: "cancel",
};

export function planMark(run: RunSnapshot, request: MarkRequest): RunPlan {
  const selection = selectTasks(run.graph, chooseGroups(run, request.tasks), request);
  const state = request.as === "cancelled" ? "failed" : request.as;
  const marked = run.instances
    .filter((one) => isSelected(selection, one) && allowedOnInstance(one.state).includes(ACTION[request.as]))
    .map((one) => markOf(one, state, request.reason));
  const revived = state === "failed" ? [] : planRevival(run, marked, request.reason);
  const changes = [...marked, ...revived];
  const hasEnded = run.state === "success" || run.state === "failed";
  const unfinished = revived.length > 0;
  return {
    run,
    changes,
    folded: [],
    run_to: changes.length > 0 && hasEnded && unfinished ? "queued" : null,
    run_by: "judged",
    ends_as: null,
    move: null,
    reason: request.reason,
  };
}

/** What is not expanded yet of a group ends as one: its tasks begin and end with their expander. */
function chooseGroups(run: RunSnapshot, chosen: readonly ChosenTask[]): ChosenTask[] {
  const expanded = new Set(run.instances.flatMap((one) => (isExpanded(one) ? [one.task_id] : [])));
  return chosen.flatMap((one) => {
    const group = listGroup(run.graph, one.task_id);
    const isWhole = (one.map_index ?? -1) === -1 && !group.some((id) => expanded.has(id));
    return [one, ...(isWhole ? group.map((task_id) => ({ task_id, map_index: null })) : [])];
  });
}

function planRevival(run: RunSnapshot, marked: readonly InstanceChange[], reason: string): InstanceChange[] {
  const ids = new Set(marked.map(({ id }) => id));
  const below = reach(
    marked.map(({ task_id }) => task_id),
    (id) => listBelow(run.graph, id),
  );
  return run.instances
    .filter(({ id, task_id, state }) => state === "upstream_failed" && below.has(task_id) && !ids.has(id))
    .map((instance) => clearOf(instance, run.graph, reason));
}

/** Begun, though no attempt is under way. */
const BETWEEN: ReadonlySet<TaskState | null> = new Set<TaskState>(["up_for_retry", "up_for_reschedule", "deferred"]);

/** What becomes of an instance when its run is said to have ended so; undefined: it stays. */
const IN_RUN: Record<RunEnd, (instance: InstanceSnapshot) => TaskState | undefined> = {
  success: ({ state }) => (state === "success" || state === "skipped" || state === "removed" ? undefined : "success"),
  failed: ({ state, attempt }) => {
    if (isFinishedTaskState(state)) return undefined;
    return attempt === null && !BETWEEN.has(state) ? "skipped" : "failed";
  },
};

/** Teardowns of what has been set up are left to their rule; with them unfinished, the run goes on to the end that was said. */
export function planRunMark(run: RunSnapshot, state: RunEnd, reason: string): RunPlan {
  const isSpared = findDueTeardowns(run);
  const spared = run.instances.filter(isSpared);
  const changes = run.instances.flatMap((instance) => {
    const to = isSpared(instance) ? undefined : IN_RUN[state](instance);
    return to === undefined ? [] : [markOf(instance, to, reason)];
  });
  const end =
    spared.length > 0
      ? ({ run_to: null, run_by: "judged", ends_as: state } as const)
      : ({ run_to: state, run_by: "forced", ends_as: null } as const);
  return { run, changes, folded: [], ...end, move: null, reason };
}

/** Unfinished teardowns that run, or have a setup that has succeeded. */
function findDueTeardowns({ state, graph, instances }: RunSnapshot): (instance: InstanceSnapshot) => boolean {
  // What has not begun has set nothing up.
  if (state !== "running") return () => false;
  const succeeded = new Map<string, Set<number>>();
  for (const { task_id, map_index, state: own } of instances) {
    if (own !== "success" || graph.tasks.get(task_id)?.role !== "setup") continue;
    const known = succeeded.get(task_id);
    if (known) known.add(map_index);
    else succeeded.set(task_id, new Set([map_index]));
  }
  return (instance) => {
    const { task_id, map_index } = instance;
    if (graph.tasks.get(task_id)?.role !== "teardown" || isFinishedTaskState(instance.state)) return false;
    if (instance.attempt !== null || BETWEEN.has(instance.state)) return true;
    if (map_index === -1 && graph.expandedBy.has(task_id)) return false;
    const setups = graph.setups.get(task_id) ?? [];
    if (setups.length === 0) return true;
    return setups.some((id) => {
      const indices = succeeded.get(id);
      return indices !== undefined && (!isSameIndex(graph, task_id, id) || indices.has(map_index));
    });
  };
}

function markOf(instance: InstanceSnapshot, to: TaskState, reason: string): InstanceChange {
  const { max_tries, attempt } = instance;
  return { ...placeOf(instance), to, max_tries, cleared: false, reason, stop: attempt };
}
