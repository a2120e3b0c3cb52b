// What follows from instances that have finished: their downstream's counters grow, instances whose trigger rule is met
// are scheduled or forced into a finished state, and a run with nothing left ends. Pure: the scheduler performs it in one
// transaction per run, `dags test` in memory. Counters commute, so events in any order give the same end.

import type { DagGraph } from "./graph.ts";
import type { FinishedTaskState, RunState } from "./states.ts";
import { judgeTriggerRule, type UpstreamCounters } from "./trigger-rule.ts";

/** A finished instance that its downstream has not counted yet. */
export interface FinishedInstance {
  task_id: string;
  state: FinishedTaskState;
}

export type CounterName = Exclude<keyof UpstreamCounters, "total">;

/** What one downstream task's counters grow by. */
export interface CounterGrowth extends Record<CounterName, number> {
  task_id: string;
}

/** The growth that a set of finished instances causes, one entry for each affected downstream task. */
export function planCounterGrowth(graph: DagGraph, finished: readonly FinishedInstance[]): CounterGrowth[] {
  const growth = new Map<string, CounterGrowth>();
  for (const instance of finished) {
    for (const taskId of graph.downstream.get(instance.task_id) ?? []) {
      let entry = growth.get(taskId);
      if (!entry) {
        entry = { task_id: taskId, success: 0, failed: 0, upstream_failed: 0, skipped: 0, removed: 0 };
        growth.set(taskId, entry);
      }
      entry[instance.state] += 1;
    }
  }
  return [...growth.values()];
}

/** An instance that has not been scheduled yet, with its counters as they are now. */
export interface WaitingInstance {
  id: string;
  task_id: string;
  map_index: number;
  upstream: UpstreamCounters;
}

export interface Move {
  id: string;
  task_id: string;
  /** "success": an empty task, which has nothing to run. */
  to: "scheduled" | "success" | "upstream_failed" | "skipped" | "removed";
  reason: string | null;
}

/** The moves of instances whose counters changed; those that must go on waiting are left out. */
export function planMoves(graph: DagGraph, waiting: readonly WaitingInstance[]): Move[] {
  const moves: Move[] = [];
  for (const { id, task_id, map_index, upstream } of waiting) {
    const task = graph.tasks.get(task_id);
    if (!task) continue;
    const verdict = judgeTriggerRule(task.trigger_rule, upstream, map_index);
    if (verdict === "wait") continue;
    if (verdict === "run") {
      moves.push({ id, task_id, to: task.kind === "empty" ? "success" : "scheduled", reason: null });
    } else {
      moves.push({ id, task_id, to: verdict, reason: explainForced(verdict, task.trigger_rule, upstream) });
    }
  }
  return moves;
}

function explainForced(state: "upstream_failed" | "skipped" | "removed", rule: string, upstream: UpstreamCounters) {
  const seen = (["success", "failed", "upstream_failed", "skipped", "removed"] as const)
    .filter((name) => upstream[name] > 0)
    .map((name) => `${upstream[name]} ${name}`)
    .join(", ");
  return `${state} by trigger rule ${rule}: of ${upstream.total} upstream, ${seen}`;
}

/** The end of a run in which nothing is unfinished: it fails when a leaf failed, whatever happened above it. */
export function judgeRun(leafStates: readonly FinishedTaskState[]): Extract<RunState, "success" | "failed"> {
  return leafStates.some((state) => state === "failed" || state === "upstream_failed") ? "failed" : "success";
}
