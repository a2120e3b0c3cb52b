// The ticks of a schedule: a pure function from an instant to the next one, whatever kind of schedule it is.

import { compileCron, type NextTime } from "./cron.ts";
import type { Schedule } from "./definition.ts";
import { messageOf } from "./errors.ts";

/** Schedules whose ticks do not depend on the runs that there have been. */
export type TickingSchedule = Exclude<Schedule, { kind: "once" | "continuous" }>;

/** @param computed ticks of a custom schedule, ascending; others have none */
export function compileTicks(schedule: TickingSchedule, computed: readonly Date[] = []): NextTime {
  switch (schedule.kind) {
    case "cron":
      return compileCron(schedule.expression, schedule.timezone);
    case "crons":
      return earliestOf(schedule.expressions.map((expression) => compileCron(expression, schedule.timezone)));
    case "interval":
      return nextMultiple(Date.parse(schedule.anchor), schedule.seconds * 1000);
    case "times":
      return nextListed(schedule.times.map((time) => new Date(time)));
    case "custom":
      return nextListed(computed);
  }
}

function earliestOf(all: readonly NextTime[]): NextTime {
  return (after) => {
    const times = all.flatMap((next) => next(after)?.getTime() ?? []);
    return times.length === 0 ? null : new Date(Math.min(...times));
  };
}

function nextMultiple(anchor: number, period: number): NextTime {
  return (after) => new Date(anchor + (Math.floor((after.getTime() - anchor) / period) + 1) * period);
}

function nextListed(times: readonly Date[]): NextTime {
  return (after) => times.find((time) => time > after) ?? null;
}

const FIRST_WINDOW_MS = 60_000;
// 50 years: no leap day, and no list of times, is further back.
const LONGEST_WINDOW_MS = 50 * 366 * 86_400_000;

/** The last tick at or before an instant; null when there is none in the 50 years before it. */
export function findLatestTick(next: NextTime, instant: Date): Date | null {
  for (let window = FIRST_WINDOW_MS; window <= LONGEST_WINDOW_MS; window *= 4) {
    let low = next(new Date(instant.getTime() - window))?.getTime() ?? Number.POSITIVE_INFINITY;
    if (low > instant.getTime()) continue;
    // Halved, because a window may hold many ticks: `low` is one, and none is after `high`.
    for (let high = instant.getTime(); low < high;) {
      const middle = Math.floor((low + high) / 2);
      const later = next(new Date(middle))?.getTime() ?? Number.POSITIVE_INFINITY;
      if (later <= high) low = later;
      else high = middle;
    }
    return new Date(low);
  }
  return null;
}

/** The problem of a cron expression or time zone, or null. */
export function findScheduleFault(schedule: Schedule): string | null {
  switch (schedule.kind) {
    case "cron":
      return findZoneFault(schedule.timezone) ?? findExpressionFault(schedule.expression);
    case "crons":
      return (
        findZoneFault(schedule.timezone) ?? schedule.expressions.map(findExpressionFault).find((found) => found) ?? null
      );
    case "interval":
    case "once":
    case "continuous":
    case "custom":
      return null;
    case "times":
      return schedule.times.every((time, at) => at === 0 || Date.parse(schedule.times[at - 1] ?? "") < Date.parse(time))
        ? null
        : "the times are not in ascending order, or one of them is there twice";
  }
}

function findZoneFault(timezone: string): string | null {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return null;
  } catch {
    return `timezone "${timezone}" is not known; use an IANA name such as "Europe/Paris"`;
  }
}

function findExpressionFault(expression: string): string | null {
  try {
    compileCron(expression, "UTC");
    return null;
  } catch (error) {
    return `schedule "${expression}" is not a cron expression (${messageOf(error)}); an example is "0 6 * * *"`;
  }
}
