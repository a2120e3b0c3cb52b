// What people do to runs: clear, mark, cancel. One transaction locks the runs, has core/ plan, and performs the plan; a preview
// ends after the plan. Counters are not corrected but counted anew, by the same statements that advance runs: all of a run's
// finished instances are uncounted, and counted again.

import type { InstanceChange, RunPlan, RunSnapshot } from "../core/intervention.ts";
import { type ClearRequest, planClear } from "../core/plan-clear.ts";
import { type MarkRequest, planMark, planRunMark } from "../core/plan-mark.ts";
import type { OutcomeRules } from "./attempt-outcome.ts";
import { requestStops } from "./attempt-stop.ts";
import { followRunEnd } from "./callbacks.ts";
import type { Database, Queryable } from "./database.ts";
import { type NewEvent, recordEvents } from "./event-log.ts";
import { countFinished, setUnfinished, settleRun } from "./run-advance.ts";
import { readUnblocked } from "./waiting-instances.ts";
import { layOutInstances, moveRunToVersion } from "./move-version.ts";
import { lockRuns, readNewestVersion, type RunChoice } from "./run-snapshot.ts";
import { notifyWork } from "./wake-up.ts";

export type Intervention =
  | { kind: "clear"; request: Omit<ClearRequest, "newest">; newest: boolean }
  | { kind: "mark"; request: MarkRequest }
  | { kind: "mark_run"; state: "success" | "failed"; reason: string };

export interface InterventionCall extends RunChoice {
  intervention: Intervention;
  dry_run: boolean;
  /** Under which it is kept who did it. */
  event: NewEvent;
  /** Refuses what may not be done in the runs' states. */
  check: (runs: readonly RunSnapshot[], plans: readonly RunPlan[]) => void;
}

/** Errors: not_found, invalid_request, and those of `check`. */
export async function intervene(
  db: Database,
  rules: OutcomeRules,
  call: InterventionCall,
  now: Date,
): Promise<RunPlan[]> {
  return db.transaction(async (tx) => {
    const runs = await lockRuns(tx, rules.versions, call);
    const plan = await createPlanner(tx, rules, call);
    const plans = runs.map(plan);
    call.check(runs, plans);
    if (call.dry_run) return plans;
    const effective = plans.filter(
      (one) => one.changes.length > 0 || one.run_to !== null || one.move !== null || one.ends_as !== null,
    );
    await recordEvents(tx, eventsOf(call.event, effective), now);
    await stopAttempts(tx, rules, effective, now);
    await writeChanges(tx, effective, now);
    for (const one of effective) await settlePlan(tx, one, now);
    await notifyWork(tx, "runs", "advance", "queue");
    return plans;
  });
}

async function createPlanner(
  tx: Queryable,
  rules: OutcomeRules,
  { intervention, dag_id }: InterventionCall,
): Promise<(run: RunSnapshot) => RunPlan> {
  switch (intervention.kind) {
    case "clear": {
      const versionId = intervention.newest ? await readNewestVersion(tx, dag_id) : null;
      const newest =
        versionId === null
          ? null
          : { version_id: versionId, graph: (await rules.versions.loadVersion(tx, versionId)).graph };
      return (run) => planClear(run, { ...intervention.request, newest });
    }
    case "mark":
      return (run) => planMark(run, intervention.request);
    case "mark_run":
      return (run) => planRunMark(run, intervention.state, intervention.reason);
  }
}

/** One event for the call, as Airflow keeps it, with what it changed. */
function eventsOf(event: NewEvent, plans: readonly RunPlan[]): NewEvent[] {
  return plans.map(({ run, changes, move }) => ({
    ...event,
    dag_run_id: run.dag_run_id,
    extra: {
      ...event.extra,
      changed: changes.slice(0, 100).map(({ task_id, map_index, from, to }) => ({ task_id, map_index, from, to })),
      total: changes.length,
      ...(move === null ? {} : { version_id: move.version_id, added: move.added.slice(0, 100) }),
    },
  }));
}

async function stopAttempts(tx: Queryable, rules: OutcomeRules, plans: readonly RunPlan[], now: Date): Promise<void> {
  const stops = plans.flatMap(({ changes, reason }) =>
    changes.flatMap(({ stop }) =>
      stop === null ? [] : [{ attempt_id: stop.attempt_id, is_queued: stop.state === "queued", reason }],
    ),
  );
  await requestStops(tx, rules, stops, now);
}

async function writeChanges(tx: Queryable, plans: readonly RunPlan[], now: Date): Promise<void> {
  const changes = plans.flatMap((plan) => plan.changes);
  if (changes.length === 0) return;
  await tx.query({
    name: "write_changes",
    text: `
      update task_instance t set state = c.state, max_tries = c.max_tries, reason = c.reason,
        -- Removed from their map they are nobody's upstream: nothing of them is to be counted.
        counted = c.state is not distinct from 'removed' and t.map_index >= 0,
        -- When the old worker must have stopped: the instance may be wanted again before.
        retry_at = case when c.state = 'removed' and t.state = 'restarting' then t.retry_at end, same_try = false,
        infrastructure_failures = case when c.cleared then 0 else t.infrastructure_failures end,
        scheduled_at = case when c.cleared then null else t.scheduled_at end,
        queued_at = case when c.cleared then null else t.queued_at end,
        start_date = case when c.cleared then null else t.start_date end,
        end_date = case when c.cleared then null else $6::timestamptz end
      from unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::bool[]) as c (id, state, max_tries, reason, cleared)
      where t.id = c.id`,
    values: [
      changes.map(({ id }) => id),
      changes.map(({ to }) => to),
      changes.map(({ max_tries }) => max_tries),
      changes.map(reasonOf),
      changes.map(({ cleared }) => cleared),
      now,
    ],
  });
  await tx.query({
    name: "forget_results",
    text: "delete from task_result where task_instance_id = any ($1::uuid[])",
    values: [changes.filter(({ to }) => to !== "success").map(({ id }) => id)],
  });
}

/** What waits to be judged has no reason: its upstream is. */
function reasonOf({ to, reason }: InstanceChange): string | null {
  return to === null ? null : reason;
}

/** The run with its counters counted anew, moved on or ended as the plan says. */
async function settlePlan(tx: Queryable, plan: RunPlan, now: Date): Promise<void> {
  const { run, move } = plan;
  const graph = move?.graph ?? run.graph;
  if (move) await moveRunToVersion(tx, run.id, move.version_id);
  if (move || plan.folded.length > 0) await layOutInstances(tx, run.id, graph, now);
  const locked = {
    id: run.id,
    version_id: move?.version_id ?? run.version_id,
    unfinished: await resetCounters(tx, run.id),
  };
  if (plan.run_to === "queued") {
    await tx.query({
      name: "queue_run_again",
      text: `update dag_run set state = 'queued', unfinished = $2, queued_at = $3, start_date = null, end_date = null,
        reason = $4, ends_as = null where id = $1`,
      values: [run.id, locked.unfinished, now, plan.reason],
    });
    return;
  }
  if (run.state === "queued" && plan.run_by === "judged") {
    await setUnfinished(tx, run.id, locked.unfinished);
    return;
  }
  const { waiting } = await countFinished(tx, locked, graph);
  if (plan.run_by !== "forced") {
    await saveEnd(tx, plan);
    const unblocked = await readUnblocked(tx, run.id, graph);
    const all = new Map([...waiting, ...unblocked].map((instance) => [instance.id, instance]));
    await settleRun(tx, locked, graph, [...all.values()], now);
    return;
  }
  await tx.query({
    name: "force_run",
    text: `update dag_run set state = $2, unfinished = $3, start_date = coalesce(start_date, $4), end_date = $4, reason = $5,
        ends_as = null where id = $1`,
    values: [run.id, plan.run_to, locked.unfinished, now, plan.reason],
  });
  if (plan.run_to !== null) await followRunEnd(tx, run.id, graph, plan.run_to, now);
}

/** What was said of a run's end is forgotten when it is judged again, or some of it executed again. */
async function saveEnd(tx: Queryable, { run, ends_as, reason, changes }: RunPlan): Promise<void> {
  if (ends_as === null && run.state === "running" && !changes.some(({ cleared }) => cleared)) return;
  await tx.query({
    name: "save_run_end",
    text: "update dag_run set ends_as = $2, reason = $3 where id = $1",
    values: [run.id, ends_as, ends_as === null ? null : reason],
  });
}

// Instances that an array has become too short for are nobody's upstream.
const IN_THE_RUN = "not (state is not distinct from 'removed' and map_index >= 0)";

/** As before anything was counted; returns how many instances there are. */
async function resetCounters(tx: Queryable, runId: number): Promise<number> {
  await tx.query({
    name: "reset_counters",
    text: `
      update task_instance set counted = false, upstream_success = 0, upstream_failed = 0, upstream_upstream_failed = 0,
        upstream_skipped = 0, upstream_removed = 0, setup_success = 0, setup_failed = 0, setup_skipped = 0
      where run_id = $1 and ${IN_THE_RUN} and (counted or setup_success + setup_failed + setup_skipped > 0
        or upstream_success + upstream_failed + upstream_upstream_failed + upstream_skipped + upstream_removed > 0)`,
    values: [runId],
  });
  const { rows } = await tx.query<{ total: number }>({
    name: "count_instances",
    text: `select count(*) as total from task_instance where run_id = $1 and ${IN_THE_RUN}`,
    values: [runId],
  });
  return rows[0]?.total ?? 0;
}
