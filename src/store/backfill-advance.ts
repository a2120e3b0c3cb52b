// Moves backfills on: makes or repeats the runs of their next dates, as many as their own limit leaves places for, and ends
// those with nothing left. What exists at that moment decides, under locks: a run that is queued or running is never touched.

import { judgeBackfillDate, type ReprocessBehavior } from "../core/backfill.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunState } from "../core/states.ts";
import type { Database, Queryable } from "./database.ts";
import type { DagVersion, VersionCache } from "./dag-versions.ts";
import { resetRun } from "./reset-run.ts";
import { insertRun } from "./run-creation.ts";
import { notifyWork } from "./wake-up.ts";

interface OpenBackfill {
  id: number;
  dag_id: string;
  version_id: number;
  reprocess_behavior: ReprocessBehavior;
  max_active_runs: number;
  dag_run_conf: JsonObject;
  params: JsonObject;
  triggering_user_name: string | null;
  active: number;
}

interface PendingDate {
  place: number;
  logical_date: Date;
  data_interval_start: Date;
  data_interval_end: Date;
}

type DateOutcome = "created" | "reset" | "already_exists" | "in_flight";

/** More dates than this are looked at in the next pass, however few of them need a run. */
const DATES_PER_PASS = 500;

export async function advanceBackfills(
  db: Database,
  versions: VersionCache,
  now: Date,
  limit: number,
): Promise<{ created: number; more: boolean }> {
  return db.transaction(async (tx) => {
    // skip locked: several schedulers share the work, each backfill is handled by one.
    const { rows } = await tx.query<OpenBackfill>({
      name: "open_backfills",
      text: `
        select b.id, b.dag_id, d.current_version_id as version_id, b.reprocess_behavior, b.max_active_runs, b.dag_run_conf,
          b.params, b.triggering_user_name, active.runs as active
        from backfill b join dag d using (dag_id),
          lateral (select count(*) as runs from dag_run r
            where r.backfill_id = b.id and r.state in ('queued', 'running')) active
        where b.completed_at is null and not b.is_paused and not d.is_paused and not d.is_stale
          and (active.runs < b.max_active_runs)
        order by b.updated_at limit $1 for update of b skip locked`,
      values: [limit],
    });
    let created = 0;
    let more = false;
    for (const backfill of rows) {
      const version = await versions.loadVersion(tx, backfill.version_id);
      const made = await advanceBackfill(tx, backfill, version, now);
      created += made.created;
      more ||= made.more;
    }
    if (created > 0) await notifyWork(tx, "runs");
    return { created, more };
  });
}

async function advanceBackfill(
  tx: Queryable,
  backfill: OpenBackfill,
  version: DagVersion,
  now: Date,
): Promise<{ created: number; more: boolean }> {
  const { rows: dates } = await tx.query<PendingDate>({
    name: "pending_backfill_dates",
    text: `select place, logical_date, data_interval_start, data_interval_end from backfill_date
      where backfill_id = $1 and outcome is null order by place limit ${DATES_PER_PASS}`,
    values: [backfill.id],
  });
  if (dates.length === 0) {
    if (backfill.active === 0) await endBackfill(tx, backfill.id, now);
    return { created: 0, more: false };
  }
  const existing = await lockRuns(tx, backfill.dag_id, dates);
  const outcomes: { place: number; outcome: DateOutcome }[] = [];
  let free = backfill.max_active_runs - backfill.active;
  for (const date of dates) {
    if (free === 0) break;
    const run = existing.get(date.logical_date.getTime()) ?? null;
    const outcome = await performStep(tx, backfill, version, date, run, now);
    outcomes.push({ place: date.place, outcome });
    if (outcome === "created" || outcome === "reset") free -= 1;
  }
  await tx.query({
    name: "set_backfill_outcomes",
    text: `
      update backfill_date d set outcome = o.outcome from unnest($2::int[], $3::text[]) as o (place, outcome)
      where d.backfill_id = $1 and d.place = o.place`,
    values: [backfill.id, outcomes.map(({ place }) => place), outcomes.map(({ outcome }) => outcome)],
  });
  const created = backfill.max_active_runs - backfill.active - free;
  // With a place left, all of these dates are done: the next ones, or the end, are due at once.
  return { created, more: free > 0 };
}

async function performStep(
  tx: Queryable,
  backfill: OpenBackfill,
  version: DagVersion,
  date: PendingDate,
  run: { id: number; state: RunState } | null,
  now: Date,
): Promise<DateOutcome> {
  const step = judgeBackfillDate(run?.state ?? null, backfill.reprocess_behavior);
  if (step === "reset" && run) {
    await resetRun(tx, { id: run.id, backfill_id: backfill.id }, version, now);
    return "reset";
  }
  if (step !== "create") return step === "in_flight" ? "in_flight" : "already_exists";
  const id = await insertRun(
    tx,
    {
      dag_id: backfill.dag_id,
      dag_run_id: `backfill__${date.logical_date.toISOString()}`,
      version_id: version.id,
      run_type: "backfill",
      backfill_id: backfill.id,
      logical_date: date.logical_date,
      data_interval_start: date.data_interval_start,
      data_interval_end: date.data_interval_end,
      run_after: date.data_interval_end,
      conf: backfill.dag_run_conf,
      params: backfill.params,
      note: null,
      triggered_by: "backfill",
      user: backfill.triggering_user_name,
    },
    version.definition,
    now,
  );
  return id === null ? "in_flight" : "created";
}

/** Locked, because whoever ends or repeats one of them must not do so between the look and the reset. */
async function lockRuns(
  tx: Queryable,
  dagId: string,
  dates: readonly PendingDate[],
): Promise<Map<number, { id: number; state: RunState }>> {
  const { rows } = await tx.query<{ id: number; logical_date: Date; state: RunState }>({
    name: "lock_runs_of_dates",
    text: `select id, logical_date, state from dag_run where dag_id = $1 and logical_date = any ($2::timestamptz[])
      order by id for update`,
    values: [dagId, dates.map((date) => date.logical_date)],
  });
  return new Map(rows.map(({ id, logical_date, state }) => [logical_date.getTime(), { id, state }]));
}

async function endBackfill(tx: Queryable, id: number, now: Date): Promise<void> {
  await tx.query({
    name: "end_backfill",
    text: "update backfill set completed_at = $2, updated_at = $2 where id = $1",
    values: [id, now],
  });
}
