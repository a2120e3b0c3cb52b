// Which runs a schedule calls for. Pure: (definition, the last run, now) → the next run. A run's data interval is its fire
// time, of zero width, as in Airflow since 3.0; or, with intervals "previous", the time from the tick before to this one,
// whose start is then the logical date. Jitter moves when a run is created, never its dates.

import type { NextTime } from "./cron.ts";
import type { DagDefinition } from "./definition.ts";
import { hashText } from "./hash-text.ts";
import { compileTicks, findLatestTick } from "./ticks.ts";

export interface DueRun {
  logical_date: Date;
  data_interval_start: Date;
  data_interval_end: Date;
  run_after: Date;
}

export type ScheduleBounds = Pick<
  DagDefinition,
  "dag_id" | "schedule" | "start_date" | "end_date" | "catchup" | "intervals" | "jitter"
>;

/**
 * The run to create next.
 * @param last the newest scheduled run's logical date, or null when there was none
 * @param now without catchup, times before the latest one that is due are passed over
 * @param computed ticks of a custom schedule
 */
export function nextDueRun(
  bounds: ScheduleBounds,
  last: Date | null,
  now: Date,
  computed?: readonly Date[],
): DueRun | null {
  const { schedule } = bounds;
  if (!schedule) return null;
  const start = bounds.start_date === null ? null : new Date(bounds.start_date);
  switch (schedule.kind) {
    case "once":
      return last ? null : within(bounds, runAt(bounds, start ?? now));
    case "continuous":
      return within(bounds, runAt(bounds, latestOf(now, start, last && justAfter(last))));
    case "cron":
    case "crons":
    case "interval":
    case "times":
    case "custom": {
      const next = compileTicks(schedule, computed);
      let after = last ?? (start && bounds.catchup ? justBefore(start) : lastTickBefore(bounds, next, now));
      // A tick equal to the start counts.
      if (start && after < start) after = justBefore(start);
      const run = runAfter(bounds, next, after);
      return run && within(bounds, bounds.catchup ? run : (findLatestDue(bounds, next, run, now) ?? run));
    }
  }
}

/** The run that was announced for a logical date, as it is called for by now. */
export function announcedRun(
  bounds: ScheduleBounds,
  logicalDate: Date,
  now: Date,
  computed?: readonly Date[],
): DueRun | null {
  const { schedule } = bounds;
  switch (schedule?.kind) {
    case undefined:
      return null;
    case "once":
      return within(bounds, runAt(bounds, logicalDate));
    case "continuous":
      return within(bounds, runAt(bounds, latestOf(now, logicalDate)));
    default:
      return nextDueRun(bounds, justBefore(logicalDate), now, computed);
  }
}

/** After which instant a custom timetable is to be asked for the ticks of the runs after another one. */
export function boundOfTicks(bounds: ScheduleBounds, from: Date): Date {
  return latestOf(from, bounds.start_date === null ? null : justBefore(new Date(bounds.start_date)));
}

/** The next runs whose ticks are after an instant, as if none had been missed. */
export function listNextRuns(bounds: ScheduleBounds, from: Date, count: number, computed?: readonly Date[]): DueRun[] {
  const { schedule } = bounds;
  if (!schedule) return [];
  const ahead = { ...bounds, catchup: true };
  if (schedule.kind === "once" || schedule.kind === "continuous") {
    const only = nextDueRun(ahead, null, from);
    return only && only.run_after >= from && count > 0 ? [only] : [];
  }
  const next = compileTicks(schedule, computed);
  const start = bounds.start_date === null ? null : justBefore(new Date(bounds.start_date));
  let after = lastTickBefore(bounds, next, from);
  if (start && after < start) after = start;
  const runs: DueRun[] = [];
  while (runs.length < count) {
    const run = runAfter(bounds, next, after);
    if (!run || !within(bounds, run)) break;
    runs.push(run);
    after = run.logical_date;
  }
  return runs;
}

/** The runs of a range of logical dates, both ends included, whose ticks have come; start and end date are no bounds. */
export function listRunsBetween(
  bounds: ScheduleBounds,
  range: { from: Date; to: Date; now: Date; limit: number },
  computed?: readonly Date[],
): DueRun[] {
  const { schedule } = bounds;
  if (!schedule || schedule.kind === "once" || schedule.kind === "continuous") return [];
  const next = compileTicks(schedule, computed);
  const runs: DueRun[] = [];
  for (let after = justBefore(range.from); runs.length < range.limit;) {
    const run = runAfter(bounds, next, after);
    if (!run || run.logical_date > range.to || run.data_interval_end > range.now) break;
    runs.push(run);
    after = run.logical_date;
  }
  return runs;
}

/** The first run whose logical date is after an instant. */
function runAfter(bounds: ScheduleBounds, next: NextTime, after: Date): DueRun | null {
  const tick = next(after);
  if (!tick || bounds.intervals !== "previous") return tick && runAt(bounds, tick);
  const end = next(tick);
  return end && runAt(bounds, tick, end);
}

function runAt(bounds: ScheduleBounds, start: Date, end: Date = start): DueRun {
  return {
    logical_date: start,
    data_interval_start: start,
    data_interval_end: end,
    run_after: new Date(end.getTime() + delayOf(bounds, start)),
  };
}

/** Where to look for logical dates from, so that the first run has its tick after an instant. */
function lastTickBefore(bounds: ScheduleBounds, next: NextTime, instant: Date): Date {
  if (bounds.intervals !== "previous") return instant;
  // The interval that is open at the instant counts: it ends at the first tick after it.
  const open = findLatestTick(next, instant);
  return open ? justBefore(open) : instant;
}

/** Without catchup: the newest run whose time has surely come, when it is not the one that is next anyway. */
function findLatestDue(bounds: ScheduleBounds, next: NextTime, run: DueRun, now: Date): DueRun | null {
  if (run.run_after >= now) return null;
  // Later ticks may have come too, and still be put off by their jitter.
  let tick = findLatestTick(next, new Date(now.getTime() - (bounds.jitter ?? 0) * 1000));
  if (tick && bounds.intervals === "previous") tick = findLatestTick(next, justBefore(tick));
  return tick && tick > run.logical_date ? runAfter(bounds, next, justBefore(tick)) : null;
}

function within(bounds: ScheduleBounds, run: DueRun): DueRun | null {
  return bounds.end_date !== null && run.logical_date > new Date(bounds.end_date) ? null : run;
}

/** Milliseconds, evenly spread, and the same for the same DAG and logical date. */
function delayOf({ dag_id, jitter }: ScheduleBounds, logicalDate: Date): number {
  if (jitter === undefined) return 0;
  return Math.floor((hashText(`${dag_id} ${logicalDate.getTime()}`) / 2 ** 32) * jitter * 1000);
}

function latestOf(first: Date, ...others: (Date | null)[]): Date {
  return new Date(Math.max(first.getTime(), ...others.map((date) => date?.getTime() ?? 0)));
}

function justBefore(date: Date): Date {
  return new Date(date.getTime() - 1);
}

function justAfter(date: Date): Date {
  return new Date(date.getTime() + 1);
}
