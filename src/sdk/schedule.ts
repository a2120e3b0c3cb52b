// When a DAG runs: a cron expression in a time zone, within optional bounds.

import type { Schedule } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";

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

export type SchedulePreset = keyof typeof PRESETS;

/** An instant, or a date and time without offset, which is then local to the DAG's time zone. */
export type Moment = string | Date | { readonly epochMilliseconds: number };

const FIELD = /^[\dA-Za-z*/,\-?#+]+$/;

export function toSchedule(schedule: unknown, timezone: string, where: string): Schedule | null {
  if (schedule === undefined || schedule === null) return null;
  if (typeof schedule !== "string") {
    throw authorError(
      `${where}: schedule is ${describeValue(schedule)}. Use a cron expression such as "0 6 * * *", or null.`,
    );
  }
  const expression = Object.hasOwn(PRESETS, schedule) ? PRESETS[schedule as SchedulePreset] : schedule.trim();
  if (expression.startsWith("@")) {
    throw authorError(
      `${where}: schedule "${schedule}" is unknown. Use ${Object.keys(PRESETS).join(", ")}, a cron expression, or null.`,
    );
  }
  const fields = expression.split(/\s+/);
  if ((fields.length !== 5 && fields.length !== 6) || !fields.every((field) => FIELD.test(field))) {
    throw authorError(
      `${where}: schedule "${schedule}" is not a cron expression. Use five fields (minute hour day month weekday), e.g. "0 6 * * 1-5".`,
    );
  }
  return { kind: "cron", expression, timezone };
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
