// One callback of a DAG, called inside of a test as the scheduler would call it: runs of tests call none.

import { type CallbackEvent, callbackKey } from "../core/callback.ts";
import type { Connection } from "../core/connection.ts";
import { failure } from "../core/errors.ts";
import { findLackingSecret, pickDeclared } from "../core/lacking-secret.ts";
import type { CallbackContext } from "../sdk/callbacks.ts";
import { COMPILED_DAG } from "../sdk/compiled.ts";
import type { Dag } from "../sdk/dag.ts";
import { idOf, type NamedTask } from "./arrangements.ts";
import { completeConnections } from "./complete-connections.ts";

export interface CallCallbackOptions {
  /** Of which task; of the DAG's runs unless given. */
  task?: NamedTask;
  /** What it is told, beside what is made up. */
  context?: Partial<CallbackContext>;
  variables?: { readonly [key: string]: string };
  connections?: { readonly [id: string]: Partial<Connection> };
}

/** Resolves with what the callback returns, rejects with what it throws, or for a callback or a secret that there is not. */
export async function callCallback(
  dag: Dag,
  event: CallbackEvent,
  { task, context = {}, variables = {}, connections = {} }: CallCallbackOptions = {},
): Promise<unknown> {
  const { definition, callbacks = {} } = dag[COMPILED_DAG];
  const taskId = task === undefined ? null : idOf(task);
  const key = callbackKey(taskId, event);
  const run = callbacks[key];
  if (!run) {
    const known = Object.keys(callbacks).toSorted().join(", ") || "none";
    throw failure("invalid_request", `DAG "${dag.id}" has no callback "${key}"; it has: ${known}`);
  }
  const owner = taskId === null ? definition : definition.tasks.find(({ task_id }) => task_id === taskId);
  const declared = owner?.callback_secrets?.[event] ?? {};
  const given = { variables, connections: completeConnections(connections) };
  const lacking = findLackingSecret(declared, given);
  if (lacking !== null) {
    throw failure("invalid_request", `${lacking}; here, give it to callCallback as variables or connections`);
  }
  const told: CallbackContext = { ...describeEvent(dag.id, taskId, event), ...context };
  const runtime = {
    variables: pickDeclared(declared.variables, given.variables),
    connections: pickDeclared(declared.connections, given.connections),
    signal: new AbortController().signal,
  };
  // The compiler has checked what the callback takes where it was declared.
  return (run as (context: CallbackContext, runtime: object) => unknown)(told, runtime);
}

function describeEvent(dagId: string, taskId: string | null, event: CallbackEvent): CallbackContext {
  const date = "2026-01-01T00:00:00.000Z";
  return {
    event,
    reason: "the test says so",
    dag_id: dagId,
    run_id: "test",
    run_type: "manual",
    run_state: taskId !== null || event === "deadline" ? "running" : event === "success" ? "success" : "failed",
    logical_date: date,
    data_interval_start: date,
    data_interval_end: date,
    run_after: date,
    params: {},
    task_id: taskId,
    map_index: taskId === null ? null : -1,
    try_number: taskId === null ? null : 1,
  };
}
