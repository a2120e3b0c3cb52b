// Author functions that are called when something has happened to a task or a run: which events call, and what a call's end
// comes to. A callback never changes what it is told of.

export const CALLBACK_EVENTS = ["success", "failure", "retry", "skip", "deadline"] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

export const CALLBACK_STATES = ["pending", "success", "failed", "cancelled"] as const;
export type CallbackState = (typeof CALLBACK_STATES)[number];

/** Names of the variables and connections that a callback is given; an event that is not in it has none. */
export type CallbackSecrets = { [Event in CallbackEvent]?: { variables?: string[]; connections?: string[] } };

/** When a run is late; `after` is in seconds. */
export type Deadline = { after: number; from: "queued" | "started" | "logical_date" };

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

const MOST_CALLS = 5;

/** Seconds until a callback that failed is called again: 10, 40, 160, 640; null after its last. */
export function callAgainIn(tries: number): number | null {
  return tries >= MOST_CALLS ? null : 10 * 4 ** (tries - 1);
}
