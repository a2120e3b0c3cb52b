// What a person may do to a task instance or a run in each state. The API answers with these lists and refuses the rest.

import type { RunState, TaskState } from "./states.ts";

export const INSTANCE_ACTIONS = ["clear", "cancel", "mark_success", "mark_failed", "mark_skipped"] as const;
export type InstanceAction = (typeof INSTANCE_ACTIONS)[number];

export const RUN_ACTIONS = ["clear", "cancel", "mark_success", "mark_failed", "rerun", "delete"] as const;
export type RunAction = (typeof RUN_ACTIONS)[number];

const MARKS = ["mark_success", "mark_failed", "mark_skipped"] as const;

export const ALLOWED_ON_INSTANCE: Record<TaskState | "no_status", readonly InstanceAction[]> = {
  no_status: ["cancel", ...MARKS],
  scheduled: ["clear", "cancel", ...MARKS],
  queued: ["clear", "cancel", ...MARKS],
  running: ["clear", "cancel", ...MARKS],
  restarting: ["cancel", ...MARKS],
  up_for_retry: ["clear", "cancel", ...MARKS],
  up_for_reschedule: ["clear", "cancel", ...MARKS],
  deferred: ["clear", "cancel", ...MARKS],
  success: ["clear", "mark_failed", "mark_skipped"],
  failed: ["clear", "mark_success", "mark_skipped"],
  upstream_failed: ["clear", "mark_success", "mark_failed", "mark_skipped"],
  skipped: ["clear", "mark_success", "mark_failed"],
  // Its task is in no version that the run will execute, or its upstream gave fewer items.
  removed: [],
};

export const ALLOWED_ON_RUN: Record<RunState, readonly RunAction[]> = {
  queued: ["clear", "cancel", "mark_success", "mark_failed", "rerun"],
  running: ["clear", "cancel", "mark_success", "mark_failed", "rerun"],
  success: ["clear", "mark_failed", "rerun", "delete"],
  failed: ["clear", "mark_success", "rerun", "delete"],
};

export function allowedOnInstance(state: TaskState | null): readonly InstanceAction[] {
  return ALLOWED_ON_INSTANCE[state ?? "no_status"];
}

/** 'run "r1" is success, so cancel is not possible; possible actions are clear, mark_failed' */
export function sayRefusal(what: string, state: string | null, action: string, allowed: readonly string[]): string {
  const possible = allowed.length === 0 ? "no action is possible" : `possible actions are ${allowed.join(", ")}`;
  return `${what} is ${state ?? "waiting for its upstream"}, so ${action} is not possible; ${possible}`;
}
