// Functions that are called when something has happened to a task or a run. They run beside the scheduler, in a process that
// has the network and what they declare to read, at least once, and change nothing of what they are told.

import type { CallbackContext, CallbackEvent, CallbackSecrets, Deadline } from "../core/callback.ts";
import { atAuthorsLine, authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";
import { compileSecrets, SECRET_OPTIONS, type SecretOptions, type TaskSecrets } from "./task-secrets.ts";
import { refuseUnknownOptions } from "./task-settings.ts";

export interface CallbackRuntime<V extends string = never, C extends string = never> extends TaskSecrets<V, C> {
  /** Aborted when the time for the call is over. */
  readonly signal: AbortSignal;
}

export type CallbackFunction<V extends string = never, C extends string = never> = (
  context: CallbackContext,
  runtime: CallbackRuntime<V, C>,
) => unknown;

const DECLARED: unique symbol = Symbol("windlass.callback");

/** A callback that reads variables and connections: what callback() makes. */
export interface DeclaredCallback {
  readonly [DECLARED]: CompiledCallback;
}

export type Callback = CallbackFunction | DeclaredCallback;

/**
 * A callback that is given the variables and connections that it names, and no others, for wherever a callback is taken. Its
 * function stays within reach, for tests, as `call`.
 */
export function callback<V extends string = never, C extends string = never>(
  secrets: SecretOptions<V, C>,
  call: CallbackFunction<V, C>,
): DeclaredCallback & { readonly call: CallbackFunction<V, C> } {
  return atAuthorsLine(callback, () => {
    refuseUnknownOptions(secrets, SECRET_OPTIONS, "callback()");
    const run = checkFunction(call, "callback(): the last argument");
    return { call, [DECLARED]: { run, secrets: compileSecrets(secrets, "callback()") } };
  });
}

export interface RunCallbacks {
  /** Called when it has succeeded … */
  onSuccess?: Callback;
  /** … or failed, with no try left. */
  onFailure?: Callback;
}

export interface TaskCallbacks extends RunCallbacks {
  /** Called when a try has failed and another follows … */
  onRetry?: Callback;
  /** … or when its own code or command skipped it. */
  onSkip?: Callback;
}

export interface DeadlineOptions {
  after: Duration;
  /** "queued" unless given: when the run was created. */
  from?: Deadline["from"];
  /** Called once the time is up, if the run has not ended by then. */
  callback: Callback;
}

const TASK_EVENTS: Record<keyof TaskCallbacks, CallbackEvent> = {
  onSuccess: "success",
  onFailure: "failure",
  onRetry: "retry",
  onSkip: "skip",
};
const STARTS: Record<Deadline["from"], true> = { queued: true, started: true, logical_date: true };

interface CompiledCallback {
  run: (context: never, runtime: never) => unknown;
  secrets: ReturnType<typeof compileSecrets>;
}

/** By event; an event that is not in it calls none. */
export type Callbacks = Partial<Record<CallbackEvent, CompiledCallback>>;

/** @param where names the task or DAG */
export function compileCallbacks(options: object, where: string): Callbacks {
  const found: Callbacks = {};
  for (const [name, event] of Object.entries(TASK_EVENTS)) {
    const run: unknown = (options as { [name: string]: unknown })[name];
    if (run === undefined) continue;
    found[event] = readCallback(run, `${where}: ${name}`);
  }
  return found;
}

export function compileDeadline(
  given: unknown,
  where: string,
): { deadline: Deadline; callback: CompiledCallback } | null {
  if (given === undefined) return null;
  refuseUnknownOptions(given, ["after", "from", "callback"], `${where}: deadline`);
  const { after, from = "queued", callback: late } = given as { [Name in keyof DeadlineOptions]: unknown };
  if (typeof from !== "string" || !Object.hasOwn(STARTS, from)) {
    throw authorError(
      `${where}: deadline.from is ${describeValue(from)}. Use one of ${Object.keys(STARTS).join(", ")}.`,
    );
  }
  const seconds = toSeconds(after, `${where}: deadline.after`);
  if (seconds === 0) throw authorError(`${where}: deadline.after is 0. Use a longer time.`);
  return {
    deadline: { after: seconds, from: from as Deadline["from"] },
    callback: readCallback(late, `${where}: deadline.callback`),
  };
}

/** The definition's fields, left out when there are none: which events call, and what each callback is given. */
export function listEvents(callbacks: Callbacks): { callbacks?: CallbackEvent[]; callback_secrets?: CallbackSecrets } {
  // Its keys are those that compileCallbacks set.
  const events = Object.keys(callbacks) as CallbackEvent[];
  const secrets = events.flatMap((event) => {
    const named = callbacks[event]?.secrets ?? {};
    return Object.keys(named).length === 0 ? [] : [[event, named] as const];
  });
  return {
    ...(events.length > 0 && { callbacks: events }),
    ...(secrets.length > 0 && { callback_secrets: Object.fromEntries(secrets) }),
  };
}

/** By the keys under which a bundle is asked for them: core/callback.ts callbackKey has the same. */
export function nameCallbacks(taskId: string | null, callbacks: Callbacks): [string, CompiledCallback["run"]][] {
  return Object.entries(callbacks).map(([event, { run }]) => [`${taskId ?? ""}:${event}`, run]);
}

function readCallback(value: unknown, path: string): CompiledCallback {
  if (typeof value === "object" && value !== null && DECLARED in value) return (value as DeclaredCallback)[DECLARED];
  return { run: checkFunction(value, path), secrets: {} };
}

function checkFunction(run: unknown, path: string): CompiledCallback["run"] {
  // The compiler has checked its parameters; here there is only a function or none.
  if (typeof run === "function") return run as CompiledCallback["run"];
  throw authorError(`${path} is ${describeValue(run)}. Give it a function: async ({ run_id, reason }) => { … }.`);
}
