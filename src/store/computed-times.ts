// The times of custom timetables, computed ahead: which are to be asked for, and what was answered. The rows exist for DAGs
// with such a timetable alone, and belong to the code of their current version.

import type { DagDefinition } from "../core/definition.ts";
import { nextDueRun } from "../core/timetable.ts";
import type { Database, Queryable } from "./database.ts";
import { announceRuns } from "./due-runs.ts";
import { notifyWork } from "./wake-up.ts";

/** With a new version: its code is to be asked, before anything of it is announced. */
export async function expectComputedTimes(
  tx: Queryable,
  definition: DagDefinition,
  bundleHash: string,
  now: Date,
): Promise<void> {
  if (definition.schedule?.kind !== "custom") {
    await tx.query({ text: "delete from computed_time where dag_id = $1", values: [definition.dag_id] });
    return;
  }
  await tx.query({
    text: `insert into computed_time (dag_id, bundle_hash, times, is_announced, refresh_at) values ($1, $2, '{}', false, $3)
      on conflict (dag_id) do update set bundle_hash = excluded.bundle_hash, is_announced = false, refresh_at = excluded.refresh_at`,
    values: [definition.dag_id, bundleHash, now],
  });
}

export interface StaleTimes {
  dag_id: string;
  bundle_hash: string;
  definition: DagDefinition;
  next_logical_date: Date | null;
  /** Of the newest scheduled run. */
  last_logical_date: Date | null;
}

/** Takes timetables that are to be asked; each is offered again after the lease. */
export async function claimStaleTimes(db: Queryable, limit: number, leaseMs: number, now: Date): Promise<StaleTimes[]> {
  const { rows } = await db.query<StaleTimes>({
    name: "claim_stale_times",
    text: `
      with claimed as (
        update computed_time set refresh_at = $3 where dag_id in (
          select dag_id from computed_time where refresh_at <= $1 order by refresh_at limit $2 for update skip locked)
        returning dag_id, bundle_hash, is_announced)
      select c.dag_id, c.bundle_hash, v.definition,
        case when c.is_announced then d.next_logical_date end as next_logical_date, last.logical_date as last_logical_date
      from claimed c join dag d using (dag_id) join dag_version v on v.id = d.current_version_id,
        lateral (select max(logical_date) as logical_date from dag_run
          where dag_run.dag_id = c.dag_id and run_type = 'scheduled') last
      where not d.is_stale`,
    values: [now, limit, new Date(now.getTime() + leaseMs)],
  });
  return rows;
}

/** Keeps the answer, unless the code has changed since; announces the next run if none is. */
export async function saveComputedTimes(
  db: Database,
  asked: StaleTimes,
  answer: { times: readonly Date[]; refresh_at: Date | null },
  now: Date,
): Promise<void> {
  await db.transaction(async (tx) => {
    // The lock keeps a new version of the file, and the creation of runs, out until the run is announced.
    const { rows } = await tx.query<{ next_logical_date: Date | null }>({
      name: "lock_dag_of_times",
      text: "select next_logical_date from dag where dag_id = $1 for update",
      values: [asked.dag_id],
    });
    const { rows: saved } = await tx.query<{ was_announced: boolean }>({
      name: "save_computed_times",
      text: `
        update computed_time c set times = $3, refresh_at = $4, is_announced = true, fault = null
        from computed_time old
        where c.dag_id = $1 and c.bundle_hash = $2 and old.dag_id = c.dag_id
        returning old.is_announced as was_announced`,
      values: [asked.dag_id, asked.bundle_hash, answer.times, answer.refresh_at],
    });
    const [before] = saved;
    if (!before || (before.was_announced && rows[0]?.next_logical_date)) return;
    const due = nextDueRun(asked.definition, asked.last_logical_date, now, answer.times);
    await announceRuns(tx, [{ dag_id: asked.dag_id, due }]);
    await notifyWork(tx, "runs");
  });
}

export async function saveTimetableFault(db: Queryable, asked: StaleTimes, fault: string, again: Date): Promise<void> {
  await db.query({
    name: "save_timetable_fault",
    text: "update computed_time set fault = $3, refresh_at = $4 where dag_id = $1 and bundle_hash = $2",
    values: [asked.dag_id, asked.bundle_hash, fault, again],
  });
}
