// Starts queued runs. Their first tasks are judged in the same transaction, so that none runs that nobody has looked at.

import { isFailure } from "../core/errors.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { setRunDeadline } from "./callbacks.ts";
import { type LockedRun, settleRun } from "./run-advance.ts";
import { explainKeys } from "./run-keys.ts";
import { notifyWork } from "./wake-up.ts";
import { readUnblocked } from "./waiting-instances.ts";

export interface StartedRuns {
  started: number;
  next_due: Date | null;
}

// One lock for all run starts: max_active_runs is judged on counts that nobody else may be changing.
const START_RUNS_LOCK = "windlass.start-runs";

/** Starts queued runs whose time has come, oldest first, within max_active_runs. */
export async function startQueuedRuns(
  db: Database,
  versions: VersionCache,
  now: Date,
  limit: number,
): Promise<StartedRuns> {
  const setDeadline = async (tx: Queryable, run: LockedRun): Promise<void> => {
    const { definition } = await versions.loadVersion(tx, run.version_id);
    await setRunDeadline(tx, run.id, definition, { started: now }, now);
  };
  const settle = async (tx: Queryable, run: LockedRun): Promise<void> => {
    const { graph } = await versions.loadVersion(tx, run.version_id);
    await settleRun(tx, run, graph, await readUnblocked(tx, run.id, graph), now);
  };
  try {
    return await startBatch(db, now, limit, async (tx, run) => {
      await setDeadline(tx, run);
      await settle(tx, run);
    });
  } catch (error) {
    if (isFailure(error, "unavailable")) throw error;
    // One that cannot be settled would keep all others from starting; its deadline holds all the same.
    return startBatch(db, now, limit, async (tx, run) => {
      await settleApart(tx, () => setDeadline(tx, run));
      await settleApart(tx, () => settle(tx, run));
    });
  }
}

/** What fails leaves its run as one that runs and was forgotten: endDeadlockedRun takes it up, and finds and says the fault. */
async function settleApart(tx: Queryable, settle: () => Promise<void>): Promise<void> {
  await tx.query({ text: "savepoint settling" });
  try {
    await settle();
  } catch (error) {
    if (isFailure(error, "unavailable")) throw error;
    await tx.query({ text: "rollback to savepoint settling" });
  }
}

async function startBatch(
  db: Database,
  now: Date,
  limit: number,
  settle: (tx: Queryable, run: LockedRun) => Promise<void>,
): Promise<StartedRuns> {
  return db.transaction(async (tx) => {
    await tx.query({
      name: "start_runs_lock",
      text: "select pg_advisory_xact_lock(hashtext($1))",
      values: [START_RUNS_LOCK],
    });
    const { rows } = await tx.query<LockedRun>({
      name: "start_queued_runs",
      text: `
        with due as (
          select r.id, r.dag_id, r.run_after, r.backfill_id, v.max_active_runs, r.concurrency_key, r.concurrency_limit,
            row_number() over (partition by r.dag_id, r.concurrency_key order by r.run_after, r.id) as key_place
          from dag_run r join dag d using (dag_id) join dag_version v on v.id = r.version_id
            left join backfill b on b.id = r.backfill_id
          where r.state = 'queued' and r.run_after <= $1 and not d.is_paused and b.is_paused is not true),
        -- Once for each DAG and key: a count for each candidate would make a backlog cost its square.
        active_keys as (
          select dag_id, concurrency_key, count(*) as runs from dag_run
          where state = 'running' and concurrency_key is not null group by dag_id, concurrency_key),
        active as (select dag_id, count(*) as runs from dag_run where state = 'running' and backfill_id is null
          group by dag_id),
        -- Places are given to those that their key does not hold back.
        candidate as (
          select u.*, row_number() over (partition by u.dag_id, u.backfill_id order by u.run_after, u.id) as place
          from due u left join active_keys k using (dag_id, concurrency_key)
          where u.concurrency_key is null or u.key_place <= u.concurrency_limit - coalesce(k.runs, 0)),
        chosen as (
          select c.id from candidate c left join active a using (dag_id)
          -- A backfill's runs are made within its own limit.
          where c.backfill_id is not null or c.place <= c.max_active_runs - coalesce(a.runs, 0)
          order by c.run_after limit $2)
        update dag_run r set state = 'running', start_date = $1, reason = null,
          timeout_at = $1::timestamptz + v.run_timeout * interval '1 second'
        from dag_version v where v.id = r.version_id and r.id in (select id from chosen) and r.state = 'queued'
        returning r.id, r.version_id, r.unfinished`,
      values: [now, limit],
    });
    // Of a run that people have changed, finished instances are still to be counted.
    if (rows.length > 0) await notifyWork(tx, "advance");
    for (const run of rows) await settle(tx, run);
    await explainKeys(tx, now);
    const next = await tx.query<{ next_due: Date | null }>({
      name: "next_queued_run",
      text: "select min(run_after) as next_due from dag_run where state = 'queued' and run_after > $1",
      values: [now],
    });
    return { started: rows.length, next_due: next.rows[0]?.next_due ?? null };
  });
}
