// A new run from the middle of an old one: what was taken over is finished from the start, with the old results or others, and
// its maps are expanded as they were.

import { failure } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { DagGraph } from "../core/graph.ts";
import { isTakenMap, planRerun, type RerunPlan, type TakenOver } from "../core/plan-rerun.ts";
import type { OutcomeRules } from "./attempt-outcome.ts";
import type { Database, Queryable } from "./database.ts";
import { recordEvents } from "./event-log.ts";
import { layOutInstances } from "./move-version.ts";
import { insertRun } from "./run-creation.ts";
import { lockRuns } from "./run-snapshot.ts";
import { notifyWork } from "./wake-up.ts";

export interface RerunCall {
  dag_id: string;
  dag_run_id: string;
  task_ids: readonly string[];
  /** That of the old run, or the newest. */
  version_id: number;
  new_dag_run_id: string;
  conf: JsonObject;
  /** `conf` with defaults, already checked. */
  params: JsonObject;
  /** In place of the results of tasks that are taken over; of a map, an array of those of its successes. */
  results: Record<string, Json>;
  note: string | null;
  user: string | null;
  reason: string;
  dry_run: boolean;
}

/** Errors: not_found, already_exists, invalid_request. */
export async function rerun(db: Database, rules: OutcomeRules, call: RerunCall, now: Date): Promise<RerunPlan> {
  return db.transaction(async (tx) => {
    const [source] = await lockRuns(tx, rules.versions, { ...call, past: false, future: false });
    if (!source) throw new Error(`run ${call.dag_run_id} vanished under its lock`);
    const { definition, graph } = await rules.versions.loadVersion(tx, call.version_id);
    const missing = call.task_ids.filter((id) => !graph.tasks.has(id));
    if (missing.length > 0) {
      throw failure(
        "not_found",
        `that version of DAG "${call.dag_id}" has no task ${missing.map((id) => `"${id}"`).join(", ")}`,
      );
    }
    const plan = planRerun(source, graph, call.task_ids);
    refuseForeignResults(plan, graph, call.results);
    if (call.dry_run) return plan;
    const times = await readTimes(tx, source.id);
    const id = await insertRun(
      tx,
      {
        ...times,
        dag_id: call.dag_id,
        dag_run_id: call.new_dag_run_id,
        version_id: call.version_id,
        run_type: "manual",
        backfill_id: null,
        // One run for each logical date: the old one keeps it.
        logical_date: null,
        run_after: now,
        conf: call.conf,
        params: call.params,
        note: call.note,
        triggered_by: "rest_api",
        user: call.user,
      },
      definition,
      now,
    );
    if (id === null) {
      throw failure("already_exists", `DAG "${call.dag_id}" already has a run "${call.new_dag_run_id}"`);
    }
    await takeOver(tx, { from: source.id, to: id }, graph, plan.taken, call, now);
    const { dag_id, dag_run_id, user } = call;
    const extra = { new_dag_run_id: call.new_dag_run_id, task_ids: [...call.task_ids] };
    await recordEvents(tx, [{ event: "rerun_dag_run", dag_id, dag_run_id, owner: user, extra }], now);
    await notifyWork(tx, "runs");
    return plan;
  });
}

function refuseForeignResults(plan: RerunPlan, graph: DagGraph, results: Record<string, Json>): void {
  const taken = new Map(plan.taken.map((task) => [task.task_id, task]));
  const errors = Object.entries(results).flatMap(([id, value]) => {
    const task = taken.get(id);
    const message =
      task?.state !== "success" || graph.tasks.get(id)?.kind === "expand"
        ? "is not taken over as success"
        : isTakenMap(task) && !(Array.isArray(value) && value.length === listSuccesses(task).length)
          ? `is mapped: give an array of ${listSuccesses(task).length} results, one for each instance that succeeded`
          : null;
    return message === null ? [] : [{ path: `body.results.${id}`, message }];
  });
  if (errors.length === 0) return;
  const names = errors.map(({ path, message }) => `${path.replace("body.results.", "")} ${message}`).join("; ");
  throw failure("invalid_request", `results can be given only for tasks that are taken over as success; ${names}`, {
    errors,
  });
}

function listSuccesses({ instances }: TakenOver) {
  return instances.filter(({ state }) => state === "success");
}

async function readTimes(tx: Queryable, runId: number) {
  const { rows } = await tx.query<{ data_interval_start: Date | null; data_interval_end: Date | null }>({
    name: "read_interval",
    text: "select data_interval_start, data_interval_end from dag_run where id = $1",
    values: [runId],
  });
  return rows[0] ?? { data_interval_start: null, data_interval_end: null };
}

/** They are not counted yet: the run's first pass does it, as for any that have finished. */
async function takeOver(
  tx: Queryable,
  run: { from: number; to: number },
  graph: DagGraph,
  taken: readonly TakenOver[],
  call: RerunCall,
  now: Date,
): Promise<void> {
  if (taken.length === 0) return;
  const rows = taken.flatMap((task) => {
    const results = listResults(task, call.results);
    return task.instances.map((one) => ({ task_id: task.task_id, ...one, changed: results.get(one) ?? null }));
  });
  const maps = taken.filter(isTakenMap).map(({ task_id }) => task_id);
  await tx.query({
    name: "take_over",
    text: `
      with source as (
        select * from unnest($2::text[], $3::int[], $4::text[], $5::uuid[], $6::text[])
          as s (task_id, map_index, state, source_id, changed)),
      -- Made with the run, one for each task.
      made as (delete from task_instance where run_id = $1 and map_index = -1 and task_id in (select task_id from source)
        returning *),
      taken as (
        insert into task_instance (run_id, task_id, map_index, state, try_number, max_tries, epoch,
          infrastructure_failures, upstream_total, upstream_success, upstream_failed, upstream_upstream_failed,
          upstream_skipped, upstream_removed, setup_total, counted, start_date, end_date, reason, map_positions,
          rendered_map_index)
        select made.run_id, s.task_id, s.map_index, s.state, 0, made.max_tries, 0, 0, made.upstream_total, 0, 0, 0, 0, 0,
          made.setup_total, false, $7::timestamptz, $7::timestamptz, $8, old.map_positions, old.rendered_map_index
        from source s join made using (task_id) join task_instance old on old.id = s.source_id
        returning id, task_id, map_index)
      insert into task_result (task_instance_id, value, created_at)
      select taken.id, coalesce(s.changed::json, old.value), $7
      from taken join source s using (task_id, map_index) left join task_result old on old.task_instance_id = s.source_id
      where s.state = 'success' and (s.changed is not null or old.value is not null)`,
    values: [
      run.to,
      rows.map(({ task_id }) => task_id),
      rows.map(({ map_index }) => map_index),
      rows.map(({ state }) => state),
      rows.map(({ source_id }) => source_id),
      rows.map(({ changed }) => changed),
      now,
      call.reason,
    ],
  });
  if (maps.length === 0) return;
  await tx.query({
    name: "take_items_over",
    text: `insert into map_item (run_id, task_id, name, position, value)
      select $2, task_id, name, position, value from map_item where run_id = $1 and task_id = any ($3)`,
    values: [run.from, run.to, [...maps, ...maps.flatMap((id) => graph.expandedBy.get(id) ?? [])]],
  });
  await layOutInstances(tx, run.to, graph, now);
  await tx.query({
    name: "count_new_run",
    text: `update dag_run set unfinished = (select count(*) from task_instance where run_id = $1) where id = $1`,
    values: [run.to],
  });
}

/** As JSON, by instance, where they are given. */
function listResults(task: TakenOver, given: Record<string, Json>): Map<unknown, string> {
  const value = Object.hasOwn(given, task.task_id) ? given[task.task_id] : undefined;
  if (value === undefined) return new Map();
  const values = isTakenMap(task) && Array.isArray(value) ? value : [value];
  return new Map(listSuccesses(task).map((one, index) => [one, JSON.stringify(values[index])]));
}
