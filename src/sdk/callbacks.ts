// Functions that are called when something has happened to a task or a run. They run beside the scheduler, in a process that
// has the network and nothing else, at least once, and change nothing of what they are told.

import type { CallbackEvent, Deadline } from "../core/callback.ts";
import type { Json } from "../core/json.ts";
import { authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";
import { refuseUnknownOptions } from "./task-settings.ts";

/** What has happened, and to what. Dates are ISO 8601 in UTC. */
export interface CallbackContext {
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
}

export type CallbackFunction = (context: CallbackContext, runtime: { signal: AbortSignal }) => unknown;

export interface RunCallbacks {
  /** Called when it has succeeded … */
  onSuccess?: CallbackFunction;
  /** … or failed, with no try left. */
  onFailure?: CallbackFunction;
}

export interface TaskCallbacks extends RunCallbacks {
  /** Called when a try has failed and another follows … */
  onRetry?: CallbackFunction;
  /** … or when its own code or command skipped it. */
  onSkip?: CallbackFunction;
}

export interface DeadlineOptions {
  after: Duration;
  /** "queued" unless given: when the run was created. */
  from?: Deadline["from"];
  /** Called once the time is up, if the run has not ended by then. */
  callback: CallbackFunction;
}

const TASK_EVENTS: Record<keyof TaskCallbacks, CallbackEvent> = {
  onSuccess: "success",
  onFailure: "failure",
  onRetry: "retry",
  onSkip: "skip",
};
const STARTS: Record<Deadline["from"], true> = { queued: true, started: true, logical_date: true };

/** Functions by event; undefined: there are none. */
export type Callbacks = Partial<Record<CallbackEvent, CallbackFunction>>;

/** @param where names the task or DAG */
export function compileCallbacks(options: object, where: string): Callbacks {
  const found: Callbacks = {};
  for (const [name, event] of Object.entries(TASK_EVENTS)) {
    const run: unknown = (options as { [name: string]: unknown })[name];
    if (run === undefined) continue;
    found[event] = checkFunction(run, `${where}: ${name}`);
  }
  return found;
}

export function compileDeadline(
  given: unknown,
  where: string,
): { deadline: Deadline; callback: CallbackFunction } | null {
  if (given === undefined) return null;
  refuseUnknownOptions(given, ["after", "from", "callback"], `${where}: deadline`);
  const { after, from = "queued", callback } = given as { [Name in keyof DeadlineOptions]: unknown };
  if (typeof from !== "string" || !Object.hasOwn(STARTS, from)) {
    throw authorError(
      `${where}: deadline.from is ${describeValue(from)}. Use one of ${Object.keys(STARTS).join(", ")}.`,
    );
  }
  const seconds = toSeconds(after, `${where}: deadline.after`);
  if (seconds === 0) throw authorError(`${where}: deadline.after is 0. Use a longer time.`);
  return {
    deadline: { after: seconds, from: from as Deadline["from"] },
    callback: checkFunction(callback, `${where}: deadline.callback`),
  };
}

/** The definition's field: left out when there are none. */
export function listEvents(callbacks: Callbacks): { callbacks?: CallbackEvent[] } {
  // Its keys are those that compileCallbacks set.
  const events = Object.keys(callbacks) as CallbackEvent[];
  return events.length === 0 ? {} : { callbacks: events };
}

/** By the keys under which a bundle is asked for them: core/callback.ts callbackKey has the same. */
export function nameCallbacks(taskId: string | null, callbacks: Callbacks): [string, CallbackFunction][] {
  return Object.entries(callbacks).map(([event, run]) => [`${taskId ?? ""}:${event}`, run]);
}

function checkFunction(run: unknown, path: string): CallbackFunction {
  // The compiler has checked its parameters; here there is only a function or none.
  if (typeof run === "function") return run as CallbackFunction;
  throw authorError(`${path} is ${describeValue(run)}. Give it a function: async ({ run_id, reason }) => { … }.`);
}
