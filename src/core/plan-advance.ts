// What follows from instances that have finished: their downstream's counters grow, instances whose trigger rule is met
// are scheduled, expanded or forced into a finished state, and a run with nothing left ends. Pure: the scheduler performs it
// in one transaction per run, `dags test` in memory. Counters commute, so events in any order give the same end.

import { type DagGraph, isSameIndex } from "./graph.ts";
import type { FinishedTaskState, RunEnd } from "./states.ts";
import { isAllDone, judgeTriggerRule, type SetupCounters, type UpstreamCounters } from "./trigger-rule.ts";

/** A finished instance that its downstream has not counted yet. */
export interface FinishedInstance {
  task_id: string;
  map_index: number;
  state: FinishedTaskState;
}

export const COUNTERS = [
  "success",
  "failed",
  "upstream_failed",
  "skipped",
  "removed",
  "setup_success",
  "setup_failed",
  "setup_skipped",
] as const;
export type CounterName = (typeof COUNTERS)[number];

/** What the counters of one downstream task, or of one instance of it, grow by. */
export interface CounterGrowth extends Record<CounterName, number> {
  task_id: string;
  /** null: all instances of the task. */
  map_index: number | null;
}

/** A removed setup stands for no one, as if it had never been in the way. */
const SETUP_COUNTERS: Record<FinishedTaskState, CounterName> = {
  success: "setup_success",
  failed: "setup_failed",
  upstream_failed: "setup_failed",
  skipped: "setup_skipped",
  removed: "setup_success",
};

/** The growth that a set of finished instances causes, one entry for each affected downstream task or instance. */
export function planCounterGrowth(graph: DagGraph, finished: readonly FinishedInstance[]): CounterGrowth[] {
  const growth = new Map<string, Map<number | null, CounterGrowth>>();
  const grow = (taskId: string, instance: FinishedInstance, counter: CounterName) => {
    const index = isSameIndex(graph, taskId, instance.task_id) ? instance.map_index : null;
    const ofTask = growth.get(taskId) ?? new Map<number | null, CounterGrowth>();
    growth.set(taskId, ofTask);
    const entry = ofTask.get(index) ?? noGrowth(taskId, index);
    ofTask.set(index, entry);
    entry[counter] += 1;
  };
  for (const instance of finished) {
    for (const taskId of graph.downstream.get(instance.task_id) ?? []) grow(taskId, instance, instance.state);
    for (const taskId of graph.guarded.get(instance.task_id) ?? []) {
      grow(taskId, instance, SETUP_COUNTERS[instance.state]);
    }
  }
  return [...growth.values()].flatMap((ofTask) => [...ofTask.values()]);
}

function noGrowth(taskId: string, index: number | null): CounterGrowth {
  const none = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<CounterName, number>;
  return { task_id: taskId, map_index: index, ...none };
}

/** An instance that has not been scheduled yet, with its counters as they are now. */
export interface WaitingInstance {
  id: string;
  task_id: string;
  map_index: number;
  upstream: UpstreamCounters;
  setups: SetupCounters;
}

export interface Move {
  id: string;
  task_id: string;
  map_index: number;
  /** "success": an empty task, which has nothing to run. */
  to: "scheduled" | "success" | "upstream_failed" | "skipped" | "removed";
  reason: string | null;
}

export interface AdvancePlan {
  moves: Move[];
  /** Unexpanded instances of mapped tasks, and of the expanders of mapped groups, whose arrays are to be read now. */
  expand: WaitingInstance[];
}

/** What follows for instances whose counters changed; those that must go on waiting are left out. */
export function planMoves(graph: DagGraph, waiting: readonly WaitingInstance[]): AdvancePlan {
  const plan: AdvancePlan = { moves: [], expand: [] };
  for (const instance of waiting) {
    const { id, task_id, map_index, upstream, setups } = instance;
    const task = graph.tasks.get(task_id);
    // Of an unexpanded member its group decides.
    if (!task || (map_index === -1 && graph.expandedBy.has(task_id))) continue;
    const verdict = judgeTriggerRule(task.trigger_rule, upstream, setups, map_index);
    if (verdict === "wait") continue;
    if (verdict !== "run") {
      const reason = explainForced(verdict, task.trigger_rule, upstream, setups);
      plan.moves.push({ id, task_id, map_index, to: verdict, reason });
    } else if (task.map && map_index === -1) {
      // Even with a rule that does not wait: the arrays are there only when all upstream tasks are over.
      if (isAllDone(upstream)) plan.expand.push(instance);
    } else {
      const to = task.kind === "empty" ? "success" : "scheduled";
      plan.moves.push({ id, task_id, map_index, to, reason: null });
    }
  }
  return plan;
}

const SEEN = ["success", "failed", "upstream_failed", "skipped", "removed"] as const;

function explainForced(
  state: "upstream_failed" | "skipped" | "removed",
  rule: string,
  upstream: UpstreamCounters,
  setups: SetupCounters,
) {
  if (setups.failed > 0 || setups.skipped > 0) {
    return `${state} because of its setups: of ${setups.total}, ${setups.failed} failed, ${setups.skipped} skipped`;
  }
  const seen = SEEN.filter((name) => upstream[name] > 0)
    .map((name) => `${upstream[name]} ${name}`)
    .join(", ");
  return `${state} by trigger rule ${rule}: of ${upstream.total} upstream, ${seen}`;
}

/** The tasks of a group that is not expanded end with its expander, whatever their rules: there is nothing to run them on. */
export interface GroupEnd {
  members: readonly string[];
  state: "upstream_failed" | "skipped";
  reason: string;
}

/** @param ended unexpanded instances that have just ended */
export function planGroupEnds(graph: DagGraph, ended: readonly FinishedInstance[]): GroupEnd[] {
  return ended.flatMap(({ task_id, map_index, state }): GroupEnd[] => {
    const members = graph.members.get(task_id);
    if (!members || map_index !== -1 || state === "success") return [];
    return [
      {
        members,
        state: state === "skipped" || state === "removed" ? "skipped" : "upstream_failed",
        reason: `its group ${task_id} was not expanded: ${state}`,
      },
    ];
  });
}

/** Why a run failed, by its leaves; null: it did not. */
export function explainFailure(leaves: readonly { task_id: string; state: FinishedTaskState }[]): string | null {
  const failed = leaves.flatMap(({ task_id, state }) => (judgeRun([state]) === "failed" ? [task_id] : []));
  return failed.length === 0 ? null : `failed because of ${[...new Set(failed)].slice(0, 5).join(", ")}`;
}

/** The end of a run in which nothing is unfinished: it fails when a leaf failed, whatever happened above it. */
export function judgeRun(leafStates: readonly FinishedTaskState[]): RunEnd {
  return leafStates.some((state) => state === "failed" || state === "upstream_failed") ? "failed" : "success";
}
