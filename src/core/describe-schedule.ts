// A schedule in a few words, for lists and for people.

import type { Schedule } from "./definition.ts";

/** Short, as a list shows it. */
export function summarizeSchedule(schedule: Schedule): string {
  switch (schedule.kind) {
    case "cron":
      return schedule.expression;
    case "crons":
      return schedule.expressions.join(", ");
    case "interval":
      return `every ${schedule.seconds} s`;
    case "once":
      return "@once";
    case "continuous":
      return "@continuous";
    case "times":
      return `${schedule.times.length} times`;
    case "custom":
      return "custom";
  }
}

export function describeSchedule(schedule: Schedule): string {
  switch (schedule.kind) {
    case "cron":
      return `cron ${schedule.expression} in ${schedule.timezone}`;
    case "crons":
      return `cron ${schedule.expressions.join(" or ")} in ${schedule.timezone}`;
    case "interval":
      return `every ${schedule.seconds} s, counted from ${schedule.anchor}`;
    case "once":
      return "once";
    case "continuous":
      return "again as soon as the last run has ended";
    case "times":
      return `at ${schedule.times.length} given times, the first ${schedule.times[0] ?? ""}`;
    case "custom":
      return "at the times of a function in the DAG's file";
  }
}
