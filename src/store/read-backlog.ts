// How much waits, and for how long: a handful of numbers for Prometheus, read at each scrape. Every count stands on a partial
// index that holds what is counted and nothing else, so that history costs nothing.

import type { Queryable } from "./database.ts";

export interface Backlog {
  scheduled: number;
  queued: number;
  running: number;
  import_errors: number;
  /** Seconds since the longest overdue run should have been created or started; 0: none is overdue. */
  schedule_delay: number;
  /** Seconds that the attempt which waits longest has been waiting for its launch; 0: none waits. */
  launch_delay: number;
}

export async function readBacklog(db: Queryable, now: Date): Promise<Backlog> {
  const { rows } = await db.query<Backlog>({
    name: "read_backlog",
    text: `select
        (select count(*) from task_instance where state = 'scheduled') as scheduled,
        occupied.queued,
        occupied.running,
        (select count(*) from import_error) as import_errors,
        greatest(0, extract(epoch from $1::timestamptz - (
          select min(next_run_after) from dag where next_run_after is not null and not is_paused and not is_stale
        )))::float8 as schedule_delay,
        greatest(0, extract(epoch from $1::timestamptz - (
          select min(queued_at) from attempt where state in ('queued', 'launching')
        )))::float8 as launch_delay
      from (
        select count(*) filter (where state = 'queued') as queued, count(*) filter (where state = 'running') as running
        from task_instance where state in ('queued', 'running')
      ) as occupied`,
    values: [now],
  });
  const [backlog] = rows;
  if (!backlog) throw new Error("Postgres gave no row for an aggregate");
  return backlog;
}
