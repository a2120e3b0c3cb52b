// A worker's start: the point from which exactly one process runs the attempt. One statement takes the attempt for the worker
// if it is the newest, has no outcome, and no other worker has it; then its inputs are resolved from upstream results.

import type { TaskContext } from "../contract/execution.ts";
import type { ConsumedEvent } from "../core/asset-events.ts";
import { failure } from "../core/errors.ts";
import { resolveInputs } from "../core/inputs.ts";
import type { JsonObject } from "../core/json.ts";
import { readConsumedEvents } from "./consumed-events.ts";
import type { Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { readInputSources } from "./input-sources.ts";
import type { Reader } from "./key-sources.ts";
import { RUN_COLUMNS, runFacts, type RunRow } from "./run-row.ts";

export interface StartedAttempt {
  attempt_id: string;
  epoch: number;
  context: TaskContext;
  inputs: JsonObject;
  params: JsonObject;
  execution_timeout: number | null;
  /** What the kernel counts for its process is of this attempt alone. */
  own_container: boolean;
  asset_events: ConsumedEvent[];
  /** Names of what it is to be given. */
  variables: readonly string[];
  connections: readonly string[];
  bundle: { hash: string; code: string };
}

export interface StartingWorker {
  attempt_id: string;
  worker_id: string;
  hostname: string;
}

interface StartedRow extends RunRow, Reader {
  epoch: number;
  task_id: string;
  try_number: number;
  max_tries: number;
  version_id: number;
  executor: string;
}

/** Errors: attempt_stale. A repeat by the same worker gets the same answer. */
export async function startAttempt(
  db: Queryable,
  versions: VersionCache,
  worker: StartingWorker,
  now: Date,
): Promise<StartedAttempt> {
  const { rows } = await db.query<StartedRow>({
    name: "start_attempt",
    text: `
      with started as (
        update attempt a set state = 'running', worker_id = $2, hostname = $3, started_at = coalesce(a.started_at, $4),
          heartbeat_at = $4, waiting_kind = null, waiting_reason = null, waiting_since = null, claimed_until = null
        from task_instance t
        where a.id = $1 and t.id = a.task_instance_id and a.epoch = t.epoch and t.state in ('queued', 'running')
          and a.outcome is null and a.stop_requested_at is null and (a.worker_id is null or a.worker_id = $2)
        returning a.task_instance_id, a.epoch, a.try_number, a.executor),
      instance as (
        update task_instance t set state = 'running', reason = null, start_date = coalesce(t.start_date, $4)
        from started s where t.id = s.task_instance_id
        returning t.run_id, t.task_id, t.map_index, t.map_positions, t.max_tries, s.epoch, s.try_number, s.executor)
      select i.epoch, i.task_id, i.map_index, i.map_positions, i.try_number, i.max_tries, i.executor, r.version_id, ${RUN_COLUMNS}
      from instance i join dag_run r on r.id = i.run_id`,
    values: [worker.attempt_id, worker.worker_id, worker.hostname, now],
  });
  const row = rows[0];
  if (!row) {
    throw failure("attempt_stale", `attempt ${worker.attempt_id} has ended, was replaced, or is run by another worker`);
  }
  const version = await versions.loadVersion(db, row.version_id);
  const task = version.graph.tasks.get(row.task_id);
  if (!task) throw failure("not_found", `task "${row.task_id}" is not in version ${row.version_id} of ${row.dag_id}`);
  const [sources, bundle, asset_events] = await Promise.all([
    readInputSources(db, row, version.graph, task, row),
    versions.loadBundle(db, version.bundle_hash),
    row.run_type === "asset_triggered" ? readConsumedEvents(db, row.run_key) : [],
    task.execution_timeout === null ? null : setDeadline(db, worker.attempt_id, task.execution_timeout, now),
  ]);
  const run = runFacts(row);
  const context: TaskContext = {
    ...run,
    task_id: row.task_id,
    map_index: row.map_index,
    try_number: row.try_number,
    max_tries: row.max_tries,
  };
  return {
    attempt_id: worker.attempt_id,
    epoch: row.epoch,
    context,
    inputs: resolveInputs(task, sources),
    params: row.params,
    asset_events,
    execution_timeout: task.execution_timeout,
    own_container: row.executor === "kubernetes",
    variables: task.variables ?? [],
    connections: task.connections ?? [],
    bundle: { hash: version.bundle_hash, code: bundle.code },
  };
}

// The worker ends its task at the timeout itself; a minute later the scheduler takes it that it could not.
const TIMEOUT_GRACE_SECONDS = 60;

async function setDeadline(db: Queryable, attemptId: string, timeout: number, now: Date): Promise<void> {
  await db.query({
    name: "set_deadline",
    text: "update attempt set deadline_at = coalesce(deadline_at, $2) where id = $1",
    values: [attemptId, new Date(now.getTime() + (timeout + TIMEOUT_GRACE_SECONDS) * 1000)],
  });
}
