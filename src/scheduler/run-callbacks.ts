// Calls author functions about what happened to tasks and runs, each in a sealed child with the network and what it declares.
// They are told of a thing that is over: how a call ends is kept beside it, and changes nothing of it.

import { CALL_SECONDS, type CallbackContext, callbackKey } from "../core/callback.ts";
import { isFailure } from "../core/errors.ts";
import {
  type CallbackCall,
  type CallbackEnd,
  claimCallbacks,
  type ClaimedCallback,
  extendCallbacks,
  findNextCallback,
  recordCallbacks,
} from "../store/callbacks.ts";
import { runFacts } from "../store/run-row.ts";
import type { SchedulerContext } from "./activity.ts";
import { callAuthor } from "./call-author.ts";
import { createLeasedWork, type LeasedWork } from "./leased-work.ts";

/** As for looks at sensors: see resume-deferred.ts. */
const LEASE_MS = 60_000;
const MOST_AT_ONCE = 8;

export function createCallbackCalls(context: SchedulerContext, wake: () => void): LeasedWork {
  const { db } = context;
  return createLeasedWork<ClaimedCallback, CallbackEnd>(
    context,
    {
      name: "run-callbacks",
      mostAtOnce: () => MOST_AT_ONCE,
      leaseMs: LEASE_MS,
      keyOf: nameCall,
      claim: (limit, now) => claimCallbacks(db, { limit, leaseMs: LEASE_MS }, now),
      extend: async (calls, until) => (await extendCallbacks(db, calls, until)).map(nameCall),
      work: (callback, { signal }) => call(context, callback, signal),
      record: (ends, now) => recordCallbacks(db, ends, now),
      findNext: (now) => findNextCallback(db, now),
    },
    wake,
  );
}

function nameCall({ id, tries }: CallbackCall): string {
  return `${id} ${tries}`;
}

async function call(
  context: SchedulerContext,
  callback: ClaimedCallback,
  signal: AbortSignal,
): Promise<CallbackEnd | null> {
  const { id, tries, event, task_id, map_index, try_number, reason, run_state, state, params } = callback;
  const { bundle_hash, graph } = await context.rules.versions.loadVersion(context.db, callback.version_id);
  const secrets = task_id === null ? graph.run_callback_secrets : graph.tasks.get(task_id)?.callback_secrets;
  const task = { task_id, map_index, try_number, state };
  const inputs: CallbackContext = { ...runFacts(callback), ...task, event, reason, run_state, params };
  const name = callbackKey(task_id, event);
  const request = {
    dag_id: callback.dag_id,
    of: "callback" as const,
    name,
    inputs,
    runtime: {},
    timeMs: CALL_SECONDS * 1000,
  };
  try {
    const ended = await callAuthor(context, bundle_hash, secrets?.[event] ?? {}, request, signal);
    if (signal.aborted) return null;
    if (ended.kind === "returned") return { id, tries, error: null };
    return { id, tries, error: ended.outcome.error?.stack ?? ended.outcome.reason };
  } catch (error) {
    // Until somebody gives the key, as until somebody mends the callback.
    if (isFailure(error, "encryption_unavailable")) return { id, tries, error: error.message };
    throw error;
  }
}
