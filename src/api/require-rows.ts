// What a path names, or the answer that it does not exist. Errors: not_found.

import { failure } from "../core/errors.ts";
import type { Database } from "../store/database.ts";
import { dagRunExists, type DagRunRow, readDagRun } from "../store/read-dag-runs.ts";
import { type DagWithDefinition, readDag } from "../store/read-dags.ts";
import { type InstanceKey, readTaskInstance, type TaskInstanceRow } from "../store/read-task-instances.ts";

export async function requireDag(db: Database, dagId: string): Promise<DagWithDefinition> {
  const dag = await readDag(db, dagId);
  if (!dag) throw missingDag(dagId);
  return dag;
}

export function missingDag(dagId: string): Error {
  return failure("not_found", `there is no DAG "${dagId}"`);
}

export async function requireDagRun(db: Database, dagId: string, runId: string): Promise<DagRunRow> {
  const run = await readDagRun(db, dagId, runId);
  if (!run) throw missingRun(dagId, runId);
  return run;
}

/** For lists: an empty one is told from that of a run that does not exist. */
export async function requireRunExists(db: Database, dagId: string, runId: string): Promise<void> {
  if (!(await dagRunExists(db, dagId, runId))) throw missingRun(dagId, runId);
}

function missingRun(dagId: string, runId: string): Error {
  return failure("not_found", `DAG "${dagId}" has no run "${runId}"`);
}

export async function requireInstance(db: Database, key: InstanceKey): Promise<TaskInstanceRow> {
  const instance = await readTaskInstance(db, key);
  if (!instance) throw missingInstance(key);
  return instance;
}

export function missingInstance(key: InstanceKey): Error {
  const which = key.map_index === -1 ? "" : ` with map index ${key.map_index}`;
  return failure(
    "not_found",
    `run "${key.dag_run_id}" of DAG "${key.dag_id}" has no task instance "${key.task_id}"${which}`,
  );
}
