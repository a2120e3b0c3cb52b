// A run with the callbacks that the scheduler would call in it, each once. How a call ends is kept beside the run, and changes
// nothing of it.

import { type CallbackContext, CALL_SECONDS, callbackKey } from "../core/callback.ts";
import { failure } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { findLackingSecret, pickDeclared } from "../core/lacking-secret.ts";
import { type AttemptRunner, type InProcessChange, type InProcessRun, runInProcess } from "../dags/run-in-process.ts";
import type { VirtualClock } from "../lifecycle/virtual-clock.ts";
import type { CompiledDag } from "../sdk/compiled.ts";
import { type CallSurroundings, describeError } from "./call-task.ts";

/** What a callback was told, and what became of its call. */
export interface TestedCallback extends CallbackContext {
  /** Seconds of the run's clock since it began. */
  called_at: number;
  /** What it threw, or why it could not be called; null: nothing. */
  error: string | null;
}

/** In the place of each callback; `call` calls the author's own, and does not reject. What this throws ends the run's test. */
export type CallbackReplacement = (context: CallbackContext, call: () => Promise<void>) => unknown;

export interface CallbackWorld extends Pick<CallSurroundings, "secrets" | "secretsHint" | "mapStack"> {
  dag: CompiledDag;
  clock: VirtualClock;
  replaceCallbacks: CallbackReplacement;
  onChange?: (task: InProcessChange) => void;
  onCalled?: (callback: TestedCallback) => void;
}

/** Resolves once all callbacks have been called, in whose order they fell due. */
export async function runWithCallbacks(
  params: JsonObject,
  runAttempt: AttemptRunner,
  world: CallbackWorld,
): Promise<InProcessRun & { callbacks: TestedCallback[] }> {
  const { dag, clock, replaceCallbacks, onChange, onCalled } = world;
  const calls: Promise<TestedCallback>[] = [];
  const follow = async (context: CallbackContext): Promise<TestedCallback> => {
    const called: TestedCallback = { ...context, called_at: clock.monotonic() / 1000, error: null };
    await replaceCallbacks(context, async () => {
      try {
        await invokeCallback(dag, context, world);
      } catch (error) {
        const outcome = describeError(error, world.mapStack);
        called.error = outcome.error?.stack ?? outcome.reason;
      }
    });
    onCalled?.(called);
    return called;
  };
  const onCallback = (context: CallbackContext): void => {
    const call = clock.hold(follow(context));
    // It is awaited below; a rejection before that would end the process.
    call.catch(() => {});
    calls.push(call);
  };
  const hooks = { onCallback, ...(onChange && { onChange }) };
  // What the run's timeout left under way does not go on.
  const run = await runInProcess(dag, params, runAttempt, clock, hooks).finally(clock.stop);
  return { ...run, callbacks: await Promise.all(calls) };
}

/**
 * As the scheduler calls it, but in this process.
 * Errors: what the callback throws; invalid_request for a callback or a secret that there is not.
 */
export async function invokeCallback(
  { definition, callbacks = {} }: CompiledDag,
  context: CallbackContext,
  { secrets, secretsHint }: Pick<CallSurroundings, "secrets" | "secretsHint">,
): Promise<unknown> {
  const { task_id, event } = context;
  const key = callbackKey(task_id, event);
  const run = callbacks[key];
  if (!run) {
    const known = Object.keys(callbacks).toSorted().join(", ") || "none";
    throw failure("invalid_request", `DAG "${definition.dag_id}" has no callback "${key}"; it has: ${known}`);
  }
  const owner = task_id === null ? definition : definition.tasks.find((task) => task.task_id === task_id);
  const declared = owner?.callback_secrets?.[event] ?? {};
  const lacking = findLackingSecret(declared, secrets);
  if (lacking !== null) throw failure("invalid_request", `${lacking}; here, ${secretsHint}`);
  const signal = AbortSignal.timeout(CALL_SECONDS * 1000);
  const late = new Promise<never>((_, reject) => {
    const give = () => reject(new Error(`one call took longer than ${CALL_SECONDS} s`));
    signal.addEventListener("abort", give, { once: true });
  });
  const runtime = {
    variables: pickDeclared(declared.variables, secrets.variables),
    connections: pickDeclared(declared.connections, secrets.connections),
    signal,
  };
  // The compiler has checked what the callback takes where it was declared.
  return Promise.race([(run as (context: CallbackContext, runtime: object) => unknown)(context, runtime), late]);
}
