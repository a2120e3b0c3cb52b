// Creates runs by hand, and inserts any run: a run and all of its task instances appear in one transaction, queued. The
// unique index on (dag_id, logical_date) is what keeps two creators from making the same run.

import type { DagDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import { indexDag } from "../core/graph.ts";
import { readRunKey } from "../core/task-lane.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunType } from "../core/states.ts";
import type { Database, Queryable } from "./database.ts";
import { recordEvents } from "./event-log.ts";
import { setRunDeadline } from "./callbacks.ts";
import { runFacts } from "./run-row.ts";
import { notifyWork } from "./wake-up.ts";

export interface ManualRun {
  dag_id: string;
  /** null: made from the run's time. */
  dag_run_id: string | null;
  logical_date: string | null;
  /** null: now. */
  run_after: string | null;
  /** As it was given; kept for people. */
  conf: JsonObject;
  /** `conf` with the schema's defaults filled in, already checked. */
  params: JsonObject;
  note: string | null;
  triggered_by: "rest_api" | "cli" | "ui" | "test";
  user: string | null;
}

/** Errors: not_found, dag_stale, already_exists. */
export async function createManualRun(
  db: Database,
  run: ManualRun,
  now: Date,
): Promise<{ id: number; dag_run_id: string }> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ is_stale: boolean; version_id: number | null; definition: DagDefinition | null }>(
      {
        name: "read_dag_for_run",
        text: `select d.is_stale, v.id as version_id, v.definition from dag d
        left join dag_version v on v.id = d.current_version_id where d.dag_id = $1`,
        values: [run.dag_id],
      },
    );
    const dag = rows[0];
    if (!dag || !dag.definition || dag.version_id === null)
      throw failure("not_found", `there is no DAG "${run.dag_id}"`);
    if (dag.is_stale) throw failure("dag_stale", `the file of DAG "${run.dag_id}" is gone; put it back to run it`);
    const logicalDate = run.logical_date === null ? null : new Date(run.logical_date);
    const runAfter = run.run_after === null ? (logicalDate ?? now) : new Date(run.run_after);
    const runId = run.dag_run_id ?? `manual__${(logicalDate ?? now).toISOString()}`;
    const id = await insertRun(
      tx,
      {
        dag_id: run.dag_id,
        dag_run_id: runId,
        version_id: dag.version_id,
        run_type: "manual",
        backfill_id: null,
        logical_date: logicalDate,
        data_interval_start: logicalDate,
        data_interval_end: logicalDate,
        run_after: runAfter,
        conf: run.conf,
        params: run.params,
        note: run.note,
        triggered_by: run.triggered_by,
        user: run.user,
      },
      dag.definition,
      now,
    );
    if (id === null) {
      throw failure("already_exists", `DAG "${run.dag_id}" already has a run with id "${runId}" or that logical date`);
    }
    const { dag_id, user: owner, conf } = run;
    await recordEvents(tx, [{ event: "trigger_dag_run", dag_id, dag_run_id: runId, owner, extra: { conf } }], now);
    await notifyWork(tx, "runs");
    return { id, dag_run_id: runId };
  });
}

export interface NewRun {
  dag_id: string;
  dag_run_id: string;
  version_id: number;
  run_type: RunType;
  /** The backfill that it is of, in whose limit it counts. */
  backfill_id: number | null;
  logical_date: Date | null;
  data_interval_start: Date | null;
  data_interval_end: Date | null;
  run_after: Date;
  conf: JsonObject;
  params: JsonObject;
  note: string | null;
  triggered_by: string;
  user: string | null;
}

/** null: the DAG has a run with this id or logical date, which whoever came first has made. */
export async function insertRun(
  tx: Queryable,
  run: NewRun,
  definition: DagDefinition,
  now: Date,
): Promise<number | null> {
  const { tasks, concurrency } = definition;
  const key = concurrency
    ? readRunKey(concurrency.key, { params: run.params, run: runFacts({ ...run, run_id: run.dag_run_id }) })
    : null;
  const { setups } = indexDag(definition);
  const { rows } = await tx.query<{ run_id: number }>({
    name: "insert_run",
    text: `
      with run as (
        insert into dag_run (dag_id, dag_run_id, version_id, run_type, state, logical_date, data_interval_start,
          data_interval_end, run_after, queued_at, params, conf, note, triggered_by, triggering_user_name,
          concurrency_key, concurrency_limit, unfinished, backfill_id)
        values ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $18, $19, cardinality($15::text[]),
          $20)
        -- A conflict that was an error would end the whole transaction, and with it the runs of other DAGs.
        on conflict do nothing
        returning id)
      insert into task_instance (run_id, task_id, map_index, state, try_number, max_tries, epoch, infrastructure_failures,
        upstream_total, upstream_success, upstream_failed, upstream_upstream_failed, upstream_skipped, upstream_removed,
        setup_total, counted)
      select run.id, task.task_id, -1, null, 0, task.max_tries, 0, 0, task.upstream_total, 0, 0, 0, 0, 0, task.setup_total,
        false
      from run, unnest($15::text[], $16::int[], $17::int[], $21::int[])
        as task (task_id, max_tries, upstream_total, setup_total)
      returning run_id`,
    values: [
      run.dag_id,
      run.dag_run_id,
      run.version_id,
      run.run_type,
      run.logical_date,
      run.data_interval_start,
      run.data_interval_end,
      run.run_after,
      now,
      JSON.stringify(run.params),
      JSON.stringify(run.conf),
      run.note,
      run.triggered_by,
      run.user,
      tasks.map((task) => task.task_id),
      tasks.map((task) => task.retries + 1),
      tasks.map((task) => task.upstream.length),
      key,
      key === null ? null : concurrency?.limit,
      run.backfill_id,
      tasks.map((task) => setups.get(task.task_id)?.length ?? 0),
    ],
  });
  const runId = rows[0]?.run_id ?? null;
  if (runId === null) return null;
  await setRunDeadline(tx, runId, definition, { queued: now, logical_date: run.logical_date ?? run.run_after }, now);
  return runId;
}
