// Author functions that are called when something has happened to a task or a run: which events call, what they are told, and
// what a call's end comes to. A callback never changes what it is told of.

import type { Json } from "./json.ts";
import type { RunState } from "./states.ts";

export const CALLBACK_EVENTS = ["success", "failure", "retry", "skip", "deadline"] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

export const CALLBACK_STATES = ["pending", "success", "failed", "cancelled"] as const;
export type CallbackState = (typeof CALLBACK_STATES)[number];

/** Names of the variables and connections that a callback is given; an event that is not in it has none. */
export type CallbackSecrets = { [Event in CallbackEvent]?: { variables?: string[]; connections?: string[] } };

/** When a run is late; `after` is in seconds. */
export type Deadline = { after: number; from: "queued" | "started" | "logical_date" };

/** What has happened, and to what. Dates are ISO 8601 in UTC. */
export type CallbackContext = {
  event: CallbackEvent;
  /** One sentence. */
  reason: string | null;
  dag_id: string;
  run_id: string;
  run_type: string;
  run_state: string;
  logical_date: string | null;
  data_interval_start: string | null;
  data_interval_end: string | null;
  run_after: string;
  params: { [name: string]: Json };
  /** null: it is about the run. */
  task_id: string | null;
  map_index: number | null;
  try_number: number | null;
  /** The task's, as the callback is called. */
  state: string | null;
};

/** The longest that one call may take. */
export const CALL_SECONDS = 60;

/** The name of a callback in its bundle. The sdk writes the same. */
export function callbackKey(taskId: string | null, event: CallbackEvent): string {
  return `${taskId ?? ""}:${event}`;
}

/** What the end of an attempt, or of a wait, is for its task; null: only the cluster was at fault. */
export function eventOf(
  state: "success" | "failed" | "skipped" | "up_for_retry" | "restarting",
  sameTry: boolean,
): CallbackEvent | null {
  switch (state) {
    case "success":
      return "success";
    case "failed":
      return "failure";
    case "skipped":
      return "skip";
    // A person has cleared it: what its attempt came to is nobody's news.
    case "restarting":
      return null;
    case "up_for_retry":
      return sameTry ? null : "retry";
  }
}

/** What the end of a run is for its author. */
export function runEventOf(state: RunState): CallbackEvent {
  return state === "success" ? "success" : "failure";
}

/** When a run is late; null: none of these moments is what its deadline counts from. It is missed by a run that ends then or later. */
export function deadlineAt(
  deadline: Deadline | undefined,
  moments: Partial<Record<Deadline["from"], Date>>,
): Date | null {
  const began = deadline && moments[deadline.from];
  return began ? new Date(began.getTime() + deadline.after * 1000) : null;
}

export function sayMissed({ after, from }: Deadline): string {
  return `the run did not end within ${after} s of ${from}`;
}

const MOST_CALLS = 5;

/** Seconds until a callback that failed is called again: 10, 40, 160, 640; null after its last. */
export function callAgainIn(tries: number): number | null {
  return tries >= MOST_CALLS ? null : 10 * 4 ** (tries - 1);
}
