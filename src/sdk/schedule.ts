// When a DAG runs, as its author says it: cron expressions in a time zone, intervals, given times, or a function.

import type { Schedule } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";

const PRESETS = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@quarterly": "0 0 1 */3 *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
} as const;

export type SchedulePreset = keyof typeof PRESETS | "@once" | "@continuous";

/** An instant, or a date and time without offset, which is then local to the DAG's time zone. */
export type Moment = string | Date | { readonly epochMilliseconds: number };

/** Five fields (minute hour day month weekday), or six with the second in front. */
export type CronExpression = `${string} ${string} ${string} ${string} ${string}`;

/** The first time that is due after an instant; null when there is none any more. Pure: the same answer every time. */
export type Timetable = (after: Temporal.Instant) => Moment | null;

export type ScheduleOption =
  | SchedulePreset
  | CronExpression
  | readonly (keyof typeof PRESETS | CronExpression)[]
  | { readonly every: Duration; readonly times?: never; readonly timetable?: never }
  | { readonly times: readonly Moment[]; readonly every?: never; readonly timetable?: never }
  | { readonly timetable: Timetable; readonly every?: never; readonly times?: never };

const FIELD = /^[\dA-Za-z*/,\-?#+]+$/;
const FORMS =
  'a cron expression such as "0 6 * * *", an array of them, { every: "90m" }, { times: […] }, assets, or null';

/** @param start where intervals are counted from; the epoch when null */
export function toSchedule(schedule: unknown, timezone: string, start: string | null, where: string): Schedule | null {
  if (schedule === undefined || schedule === null) return null;
  if (schedule === "@once") return { kind: "once" };
  if (schedule === "@continuous") return { kind: "continuous" };
  if (typeof schedule === "string") return { kind: "cron", expression: toExpression(schedule, where), timezone };
  if (Array.isArray(schedule)) return toSeveral(schedule, timezone, where);
  const [key, ...others] = typeof schedule === "object" ? Object.keys(schedule) : [];
  if (typeof schedule === "object" && others.length === 0) {
    if (key === "every" && "every" in schedule) return toInterval(schedule.every, start, where);
    if (key === "times" && "times" in schedule) return toTimes(schedule.times, timezone, where);
    if (key === "timetable" && "timetable" in schedule) {
      if (typeof schedule.timetable === "function") return { kind: "custom", timezone };
      throw authorError(
        `${where}: schedule.timetable is ${describeValue(schedule.timetable)}. Give it a function from an instant to the next one.`,
      );
    }
  }
  throw authorError(`${where}: schedule is ${describeValue(schedule)}. Use ${FORMS}.`);
}

function toExpression(schedule: string, where: string): string {
  const expression = Object.hasOwn(PRESETS, schedule) ? PRESETS[schedule as keyof typeof PRESETS] : schedule.trim();
  if (expression.startsWith("@")) {
    const presets = [...Object.keys(PRESETS), "@once", "@continuous"].join(", ");
    throw authorError(`${where}: schedule "${schedule}" is unknown. Use ${presets}, a cron expression, or null.`);
  }
  const fields = expression.split(/\s+/);
  if ((fields.length !== 5 && fields.length !== 6) || !fields.every((field) => FIELD.test(field))) {
    throw authorError(
      `${where}: schedule "${schedule}" is not a cron expression. Use five fields (minute hour day month weekday), e.g. "0 6 * * 1-5".`,
    );
  }
  return expression;
}

function toSeveral(schedules: readonly unknown[], timezone: string, where: string): Schedule {
  if (schedules.length === 0) {
    throw authorError(`${where}: schedule is an empty array. Name at least one cron expression, or use null.`);
  }
  const expressions = schedules.map((one) => {
    if (typeof one === "string") return toExpression(one, where);
    throw authorError(
      `${where}: schedule holds ${describeValue(one)}. Use cron expressions, or { times: […] } for given times.`,
    );
  });
  return { kind: "crons", expressions, timezone };
}

function toInterval(every: unknown, start: string | null, where: string): Schedule {
  const seconds = toSeconds(every, `${where}: schedule.every`);
  if (seconds < 1) throw authorError(`${where}: schedule.every is ${describeValue(every)}. Use at least 1 second.`);
  return { kind: "interval", seconds, anchor: start ?? "1970-01-01T00:00:00Z" };
}

function toTimes(moments: unknown, timezone: string, where: string): Schedule {
  if (!Array.isArray(moments) || moments.length === 0) {
    throw authorError(
      `${where}: schedule.times is ${describeValue(moments)}. Give it an array of at least one moment.`,
    );
  }
  const instants = moments.map((moment, at) => {
    const instant = toInstant(moment, timezone, `${where}: schedule.times[${at}]`);
    if (instant === null) throw authorError(`${where}: schedule.times[${at}] is missing. Remove it from the array.`);
    return Temporal.Instant.from(instant);
  });
  const sorted = instants.toSorted((a, b) => Temporal.Instant.compare(a, b)).map((instant) => instant.toString());
  return { kind: "times", times: [...new Set(sorted)] };
}

export function checkTimezone(timezone: unknown, where: string): string {
  if (timezone === undefined || timezone === "UTC") return "UTC";
  if (typeof timezone !== "string") {
    throw authorError(`${where}: timezone is ${describeValue(timezone)}. Use a name such as "Europe/Paris".`);
  }
  try {
    return new Temporal.ZonedDateTime(0n, timezone).timeZoneId;
  } catch (error) {
    throw authorError(`${where}: timezone "${timezone}" is unknown. Use a name such as "Europe/Paris".`, error);
  }
}

export function toInstant(moment: unknown, timezone: string, path: string): string | null {
  if (moment === undefined || moment === null) return null;
  try {
    if (typeof moment === "string") return parseInstant(moment, timezone);
    if (typeof moment === "object" && "epochMilliseconds" in moment) {
      return Temporal.Instant.fromEpochMilliseconds(Number(moment.epochMilliseconds)).toString();
    }
    if (moment instanceof Date) return moment.toISOString();
  } catch (error) {
    throw authorError(
      `${path} is ${describeValue(moment)}, which is not a date. Use e.g. "2026-01-31" or "2026-01-31T06:00:00Z".`,
      error,
    );
  }
  throw authorError(
    `${path} is ${describeValue(moment)}. Use an ISO string such as "2026-01-31", a Date, or a Temporal.Instant.`,
  );
}

function parseInstant(text: string, timezone: string): string {
  if (/(Z|[+-]\d\d(:?\d\d)?)(\[.*\])?$/i.test(text) && text.includes("T"))
    return Temporal.Instant.from(text).toString();
  return Temporal.PlainDateTime.from(text).toZonedDateTime(timezone).toInstant().toString();
}
