// Backfills: made, listed, paused, cancelled. A backfill keeps its dates in the order in which they are to run; their runs
// are made by backfill-advance as its places become free, so that none is made which a cancellation would have to undo.

import type { ReprocessBehavior } from "../core/backfill.ts";
import { judgeBackfillDate } from "../core/backfill.ts";
import { failure } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunState } from "../core/states.ts";
import type { DueRun } from "../core/timetable.ts";
import type { Database, Queryable } from "./database.ts";
import { notifyWork } from "./wake-up.ts";

export interface NewBackfill {
  dag_id: string;
  from_date: Date;
  to_date: Date;
  reprocess_behavior: ReprocessBehavior;
  run_backwards: boolean;
  max_active_runs: number;
  conf: JsonObject;
  params: JsonObject;
  user: string | null;
}

export interface BackfillRow {
  id: number;
  dag_id: string;
  from_date: Date;
  to_date: Date;
  reprocess_behavior: ReprocessBehavior;
  run_backwards: boolean;
  max_active_runs: number;
  dag_run_conf: JsonObject;
  is_paused: boolean;
  triggering_user_name: string | null;
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
  cancelled_at: Date | null;
  dates: number;
  pending: number;
  created: number;
  reset: number;
  skipped: number;
}

/** @param runs the runs of the range, in ascending order. Errors: already_exists, when a backfill of the DAG is open. */
export async function createBackfill(
  db: Database,
  backfill: NewBackfill,
  runs: readonly DueRun[],
  now: Date,
): Promise<number> {
  const ordered = backfill.run_backwards ? runs.toReversed() : runs;
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ id: number }>({
      name: "insert_backfill",
      text: `
        insert into backfill (dag_id, from_date, to_date, reprocess_behavior, run_backwards, max_active_runs, dag_run_conf,
          params, is_paused, triggering_user_name, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, false, $9, $10, $10)
        on conflict do nothing returning id`,
      values: [
        backfill.dag_id,
        backfill.from_date,
        backfill.to_date,
        backfill.reprocess_behavior,
        backfill.run_backwards,
        backfill.max_active_runs,
        JSON.stringify(backfill.conf),
        JSON.stringify(backfill.params),
        backfill.user,
        now,
      ],
    });
    const id = rows[0]?.id;
    if (id === undefined) {
      throw failure(
        "already_exists",
        `DAG "${backfill.dag_id}" has a backfill that has not ended; wait for it, or cancel it`,
      );
    }
    await tx.query({
      name: "insert_backfill_dates",
      text: `
        insert into backfill_date (backfill_id, place, logical_date, data_interval_start, data_interval_end)
        select $1, d.place, d.logical_date, d.interval_start, d.interval_end
        from unnest($2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) with ordinality
          as d (logical_date, interval_start, interval_end, place)`,
      values: [
        id,
        ordered.map((run) => run.logical_date),
        ordered.map((run) => run.data_interval_start),
        ordered.map((run) => run.data_interval_end),
      ],
    });
    await notifyWork(tx, "runs");
    return id;
  });
}

/** The runs of a range for which a backfill would make or repeat a run, as of now. */
export async function filterBackfillRuns(
  db: Queryable,
  dagId: string,
  runs: readonly DueRun[],
  reprocess: ReprocessBehavior,
): Promise<DueRun[]> {
  const { rows } = await db.query<{ logical_date: Date; state: RunState }>({
    name: "read_states_of_dates",
    text: "select logical_date, state from dag_run where dag_id = $1 and logical_date = any ($2::timestamptz[])",
    values: [dagId, runs.map((run) => run.logical_date)],
  });
  const states = new Map(rows.map((row) => [row.logical_date.getTime(), row.state]));
  return runs.filter((run) => {
    const step = judgeBackfillDate(states.get(run.logical_date.getTime()) ?? null, reprocess);
    return step === "create" || step === "reset";
  });
}

const COLUMNS = `b.id, b.dag_id, b.from_date, b.to_date, b.reprocess_behavior, b.run_backwards, b.max_active_runs,
  b.dag_run_conf, b.is_paused, b.triggering_user_name, b.created_at, b.updated_at, b.completed_at, b.cancelled_at,
  dates.dates, dates.pending, dates.created, dates.reset, dates.skipped`;
const DATES = `lateral (
    select count(*) as dates, count(*) filter (where outcome is null) as pending,
      count(*) filter (where outcome = 'created') as created, count(*) filter (where outcome = 'reset') as reset,
      count(*) filter (where outcome in ('already_exists', 'in_flight')) as skipped
    from backfill_date where backfill_id = b.id) dates`;

/** @param filter undefined: any */
export async function listBackfills(
  db: Queryable,
  filter: { dag_id: string | undefined; active: boolean | undefined; limit: number; offset: number },
): Promise<{ rows: BackfillRow[]; total: number }> {
  const conditions = [filter.dag_id ?? null, filter.active ?? null];
  const [page, all] = await Promise.all([
    db.query<BackfillRow>({
      name: "list_backfills",
      text: `
        select ${COLUMNS} from (
          select * from backfill
          where ($1::text is null or dag_id = $1) and ($2::boolean is null or (completed_at is null) = $2)
          order by id desc limit $3 offset $4) b, ${DATES} order by b.id desc`,
      values: [...conditions, filter.limit, filter.offset],
    }),
    db.query<{ total: number }>({
      name: "count_backfills",
      text: `select count(*) as total from backfill
        where ($1::text is null or dag_id = $1) and ($2::boolean is null or (completed_at is null) = $2)`,
      values: conditions,
    }),
  ]);
  return { rows: page.rows, total: all.rows[0]?.total ?? 0 };
}

/** Errors: not_found. */
export async function readBackfill(db: Queryable, id: number): Promise<BackfillRow> {
  const { rows } = await db.query<BackfillRow>({
    name: "read_backfill",
    text: `select ${COLUMNS} from backfill b, ${DATES} where b.id = $1`,
    values: [id],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `there is no backfill ${id}`);
  return row;
}

/** Errors: not_found, backfill_ended. */
export async function setBackfillPaused(db: Database, id: number, paused: boolean, now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "set_backfill_paused",
      text: "update backfill set is_paused = $2, updated_at = $3 where id = $1 and completed_at is null",
      values: [id, paused, now],
    });
    if (rowCount === 0) await refuseEnded(tx, id);
    await notifyWork(tx, "runs");
  });
}

/** Nothing more is begun; queued runs fail, running ones go on. Errors: not_found, backfill_ended. */
export async function cancelBackfill(db: Database, id: number, now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "cancel_backfill",
      text: `update backfill set completed_at = $2, cancelled_at = $2, updated_at = $2 where id = $1 and completed_at is null`,
      values: [id, now],
    });
    if (rowCount === 0) await refuseEnded(tx, id);
    await tx.query({
      name: "cancel_backfill_dates",
      text: "update backfill_date set outcome = 'cancelled' where backfill_id = $1 and outcome is null",
      values: [id],
    });
    await tx.query({
      name: "fail_queued_backfill_runs",
      text: `update dag_run set state = 'failed', end_date = $2, reason = 'failed because its backfill was cancelled'
        where backfill_id = $1 and state = 'queued'`,
      values: [id, now],
    });
  });
}

async function refuseEnded(tx: Queryable, id: number): Promise<never> {
  await readBackfill(tx, id);
  throw failure("backfill_ended", `backfill ${id} has ended; create another one`);
}
