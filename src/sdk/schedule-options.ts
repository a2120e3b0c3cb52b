// The options of a DAG that say when its runs are created, and what becomes of them.

import type { DagDefinition } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";
import { type AssetSchedule, isAssetsOrTime, splitSchedule } from "./asset-schedule.ts";
import { type ScheduleOption, type Timetable, toSchedule } from "./schedule.ts";

export interface ScheduleOptions {
  /** A cron expression or several, a preset, an interval, a list of times, a function, assets, or null: only when triggered. */
  schedule?: ScheduleOption | AssetSchedule | null;
  /** "previous": each run is for the time from the tick before to its own. Unless given, for the tick itself. */
  intervals?: "previous";
  /** Runs are created up to this much later, each by its own share, so that DAGs do not start all at once. */
  jitter?: Duration;
  /** So many failed runs, one after the other, pause the DAG. */
  maxConsecutiveFailedRuns?: number;
  /** A run that takes longer fails, and what it still runs is ended. */
  runTimeout?: Duration;
}

export const SCHEDULE_OPTIONS: Record<keyof ScheduleOptions, true> = {
  schedule: true,
  intervals: true,
  jitter: true,
  maxConsecutiveFailedRuns: true,
  runTimeout: true,
};

type Compiled = Pick<
  DagDefinition,
  "schedule" | "assets" | "intervals" | "jitter" | "max_consecutive_failed_runs" | "run_timeout"
>;

export function compileScheduleOptions(
  options: ScheduleOptions,
  timezone: string,
  start: string | null,
  where: string,
): Compiled {
  const { time, assets } = splitSchedule(options.schedule, where);
  const schedule = toSchedule(time, timezone, start, where);
  const compiled: Compiled = { schedule, ...(assets && { assets }) };
  if (options.intervals !== undefined) {
    refuseWithoutTicks(schedule, "intervals", where);
    if (options.intervals !== "previous") {
      throw authorError(`${where}: intervals is ${describeValue(options.intervals)}. Use "previous", or leave it out.`);
    }
    compiled.intervals = options.intervals;
  }
  if (options.jitter !== undefined) {
    if (schedule?.kind === "continuous") refuseWithoutTicks(schedule, "jitter", where);
    compiled.jitter = checkSpan(options.jitter, `${where}: jitter`);
  }
  if (options.maxConsecutiveFailedRuns !== undefined) {
    const count: unknown = options.maxConsecutiveFailedRuns;
    if (typeof count !== "number" || !Number.isInteger(count) || count < 1) {
      throw authorError(`${where}: maxConsecutiveFailedRuns is ${describeValue(count)}. Use a whole number from 1 on.`);
    }
    compiled.max_consecutive_failed_runs = count;
  }
  if (options.runTimeout !== undefined) compiled.run_timeout = checkSpan(options.runTimeout, `${where}: runTimeout`);
  return compiled;
}

export function timetableOf(given: unknown): Timetable | null {
  const schedule = isAssetsOrTime(given) ? given.cron : given;
  if (typeof schedule !== "object" || schedule === null || !("timetable" in schedule)) return null;
  return schedule.timetable as Timetable;
}

/** `@continuous` means one run at a time. */
export function checkContinuous(schedule: DagDefinition["schedule"], maxActiveRuns: unknown, where: string): boolean {
  if (schedule?.kind !== "continuous") return false;
  if (maxActiveRuns === undefined || maxActiveRuns === 1) return true;
  throw authorError(`${where}: maxActiveRuns is ${describeValue(maxActiveRuns)}. "@continuous" has one run at a time.`);
}

function refuseWithoutTicks(schedule: DagDefinition["schedule"], option: string, where: string): void {
  if (schedule && schedule.kind !== "once" && schedule.kind !== "continuous") return;
  const found = schedule ? `"@${schedule.kind}"` : "no schedule";
  throw authorError(`${where}: ${option} has no meaning with ${found}. Remove it.`);
}

function checkSpan(duration: unknown, path: string): number {
  const seconds = toSeconds(duration, path);
  if (seconds > 0) return seconds;
  throw authorError(`${path} is ${describeValue(duration)}. Use more than 0 seconds, or leave it out.`);
}
