// One callback of a DAG, called inside of a test without a run.

import type { CallbackContext, CallbackEvent } from "../core/callback.ts";
import type { Connection } from "../core/connection.ts";
import type { Dag } from "../sdk/dag.ts";
import { idOf, type NamedTask } from "./arrangements.ts";
import { completeConnections } from "./complete-connections.ts";
import { readDag } from "./read-dag.ts";
import { invokeCallback } from "./run-with-callbacks.ts";

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
  const compiled = readDag(dag, "callCallback");
  const told = { ...describeEvent(dag.id, task === undefined ? null : idOf(task), event), ...context };
  return invokeCallback(compiled, told, {
    secrets: { variables, connections: completeConnections(connections) },
    secretsHint: "give it to callCallback as variables or connections",
  });
}

const STATES = { success: "success", failure: "failed", retry: "up_for_retry", skip: "skipped", deadline: "running" };

function describeEvent(dagId: string, taskId: string | null, event: CallbackEvent): CallbackContext {
  const date = "2026-01-01T00:00:00.000Z";
  return {
    event,
    reason: "the test says so",
    dag_id: dagId,
    run_id: "test",
    run_type: "manual",
    run_state: taskId === null ? STATES[event] : "running",
    logical_date: date,
    data_interval_start: date,
    data_interval_end: date,
    run_after: date,
    params: {},
    task_id: taskId,
    map_index: taskId === null ? null : -1,
    try_number: taskId === null ? null : 1,
    state: taskId === null ? null : STATES[event],
  };
}
