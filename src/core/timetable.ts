// When a DAG's schedule is due. Pure: the next instant after a given one. Data intervals are Airflow's default since 3.0:
// the fire time itself, zero width. DST: a time in a gap fires at the first instant after it, a fixed hour in an overlap once.

import { Cron } from "croner";
import type { Schedule } from "./definition.ts";

export interface DueRun {
  logical_date: Date;
  data_interval_start: Date;
  data_interval_end: Date;
  run_after: Date;
}

export interface ScheduleBounds {
  schedule: Schedule | null;
  /** No run before it. */
  start_date: string | null;
  end_date: string | null;
  catchup: boolean;
}

/** The first fire time strictly after `after`; null when there is none. */
export function nextFireTime(schedule: Schedule, after: Date): Date | null {
  return new Cron(schedule.expression, { timezone: schedule.timezone, paused: true }).nextRun(after);
}

/**
 * The run to create next.
 * @param last the newest scheduled run's logical date, or null when there was none
 * @param now without catchup, times before the latest one that is due are passed over
 */
export function nextDueRun(bounds: ScheduleBounds, last: Date | null, now: Date): DueRun | null {
  const { schedule } = bounds;
  if (!schedule) return null;
  const start = bounds.start_date === null ? null : new Date(bounds.start_date);
  const end = bounds.end_date === null ? null : new Date(bounds.end_date);
  // A fire time equal to the start counts, hence one millisecond before.
  let after = last ?? (start && bounds.catchup ? new Date(start.getTime() - 1) : now);
  if (start && after < start) after = new Date(start.getTime() - 1);
  let fire = nextFireTime(schedule, after);
  if (!bounds.catchup && fire && fire < now) fire = latestFireTime(schedule, fire, now);
  if (!fire || (end && fire > end)) return null;
  return { logical_date: fire, data_interval_start: fire, data_interval_end: fire, run_after: fire };
}

/** The last fire time at or before `now`, given one that is. */
function latestFireTime(schedule: Schedule, known: Date, now: Date): Date {
  const cron = new Cron(schedule.expression, { timezone: schedule.timezone, paused: true });
  const previous = cron.previousRuns(1, new Date(now.getTime() + 1))[0];
  return previous && previous > known ? previous : known;
}

/** The problem of a cron expression or time zone, or null. */
export function findScheduleFault(schedule: Schedule): string | null {
  try {
    new Intl.DateTimeFormat("en", { timeZone: schedule.timezone });
  } catch {
    return `timezone "${schedule.timezone}" is not known; use an IANA name such as "Europe/Paris"`;
  }
  try {
    new Cron(schedule.expression, { timezone: schedule.timezone, paused: true, mode: "5-or-6-parts" });
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `schedule "${schedule.expression}" is not a cron expression (${why}); an example is "0 6 * * *"`;
  }
}
