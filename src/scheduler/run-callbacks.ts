// Calls author functions about what happened to tasks and runs, each in a sealed child with the network and nothing else.
// They are told of a thing that is over: how a call ends is kept beside it, and changes nothing of it.

import { callbackKey } from "../core/callback.ts";
import { callSealed } from "../dags/call-sealed.ts";
import {
  type CallbackEnd,
  claimCallbacks,
  type ClaimedCallback,
  findNextCallback,
  recordCallbacks,
} from "../store/callbacks.ts";
import { runFacts } from "../store/input-sources.ts";
import type { SchedulerContext } from "./activity.ts";
import { createLeasedWork, type LeasedWork } from "./leased-work.ts";

const CALL_LIMIT_MS = 60_000;
/** Longer than a call with its start and end. */
const LEASE_MS = 120_000;
const MOST_AT_ONCE = 8;

export function createCallbackCalls(context: SchedulerContext, wake: () => void): LeasedWork {
  const { db } = context;
  return createLeasedWork<ClaimedCallback, CallbackEnd>(
    context,
    {
      name: "run-callbacks",
      mostAtOnce: MOST_AT_ONCE,
      claim: (limit, now) => claimCallbacks(db, { limit, leaseMs: LEASE_MS }, now),
      work: (callback, signal) => call(context, callback, signal),
      record: (ends, now) => recordCallbacks(db, ends, now),
      findNext: (now) => findNextCallback(db, now),
    },
    wake,
  );
}

async function call(
  { db, rules: { versions }, clock }: SchedulerContext,
  callback: ClaimedCallback,
  signal: AbortSignal,
): Promise<CallbackEnd | null> {
  const { id, tries, event, task_id, map_index, try_number, reason, run_state, state, params } = callback;
  const { bundle_hash: hash } = await versions.loadVersion(db, callback.version_id);
  const { code, source_map: sourceMap } = await versions.loadBundle(db, hash);
  const task = { task_id, map_index, try_number, state };
  const inputs = { ...runFacts(callback), ...task, event, reason, run_state, params };
  const name = callbackKey(task_id, event);
  const request = {
    dag_id: callback.dag_id,
    of: "callback" as const,
    name,
    inputs,
    runtime: {},
    timeMs: CALL_LIMIT_MS,
  };
  const ended = await callSealed({ hash, code, sourceMap }, request, clock, signal);
  if (signal.aborted) return null;
  if (ended.kind === "returned") return { id, tries, error: null };
  return { id, tries, error: ended.outcome.error?.stack ?? ended.outcome.reason };
}
