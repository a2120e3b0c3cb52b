// Instants, and the dates of runs, as answers give them.

import type { DueRun } from "../core/timetable.ts";

export function isoOf(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}

export function presentDates(run: DueRun) {
  return {
    logical_date: run.logical_date.toISOString(),
    data_interval_start: run.data_interval_start.toISOString(),
    data_interval_end: run.data_interval_end.toISOString(),
  };
}
