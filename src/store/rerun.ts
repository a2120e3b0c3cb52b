// A new run from the middle of an old one: what was taken over is finished from the start, with the old results or others.

import { failure } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { planRerun, type RerunPlan } from "../core/plan-rerun.ts";
import type { OutcomeRules } from "./attempt-outcome.ts";
import type { Database, Queryable } from "./database.ts";
import { recordEvents } from "./event-log.ts";
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
  /** In place of the results of tasks that are taken over. */
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
    refuseForeignResults(plan, call.results);
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
    await takeOver(tx, id, plan, call, now);
    const { dag_id, dag_run_id, user } = call;
    const extra = { new_dag_run_id: call.new_dag_run_id, task_ids: [...call.task_ids] };
    await recordEvents(tx, [{ event: "rerun_dag_run", dag_id, dag_run_id, owner: user, extra }], now);
    await notifyWork(tx, "runs");
    return plan;
  });
}

function refuseForeignResults(plan: RerunPlan, results: Record<string, Json>): void {
  const taken = new Set(plan.taken.flatMap(({ task_id, state }) => (state === "success" ? [task_id] : [])));
  const foreign = Object.keys(results).filter((taskId) => !taken.has(taskId));
  if (foreign.length === 0) return;
  throw failure(
    "invalid_request",
    `results are for tasks that are taken over as success; not so ${foreign.join(", ")}`,
    {
      errors: foreign.map((id) => ({ path: `body.results.${id}`, message: "is not taken over as success" })),
    },
  );
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
async function takeOver(tx: Queryable, runId: number, plan: RerunPlan, call: RerunCall, now: Date): Promise<void> {
  if (plan.taken.length === 0) return;
  const changed = plan.taken.map(({ task_id }) => {
    const value = Object.hasOwn(call.results, task_id) ? call.results[task_id] : undefined;
    return value === undefined ? null : JSON.stringify(value);
  });
  await tx.query({
    name: "take_over",
    text: `
      with source as (
        select * from unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) as s (task_id, state, source_id, changed)),
      taken as (
        update task_instance t set state = s.state, start_date = $6, end_date = $6, reason = $7
        from source s where t.run_id = $1 and t.task_id = s.task_id and t.map_index = -1
        returning t.id, s.state, s.source_id, s.changed)
      insert into task_result (task_instance_id, value, created_at)
      select taken.id, coalesce(taken.changed::json, old.value), $6
      from taken left join task_result old on old.task_instance_id = taken.source_id
      where taken.state = 'success' and (taken.changed is not null or old.value is not null)`,
    values: [
      runId,
      plan.taken.map(({ task_id }) => task_id),
      plan.taken.map(({ state }) => state),
      plan.taken.map(({ source_id }) => source_id),
      changed,
      now,
      call.reason,
    ],
  });
}
