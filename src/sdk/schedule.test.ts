import { expect, test } from "vitest";
import { toSeconds } from "./duration.ts";
import { checkTimezone, toInstant, toSchedule } from "./schedule.ts";

test.each([
  [30, 30],
  [0.5, 0.5],
  ["250ms", 0.25],
  ["30s", 30],
  ["1.5m", 90],
  ["1h", 3600],
  ["1d", 86_400],
])("%s is %d seconds", (duration, seconds) => {
  expect(toSeconds(duration, "x")).toBe(seconds);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "", "5", "5 m", "m", "-1s", "1e3s", null, {}])(
  "%s is no duration",
  (duration) => {
    expect(() => toSeconds(duration, 'task "t": retryDelay')).toThrow(
      /^task "t": retryDelay is .*, which is not a duration/,
    );
  },
);

test("presets are cron expressions; expressions stay as they are", () => {
  expect(toSchedule("@weekly", "UTC", null, "d")).toEqual({ kind: "cron", expression: "0 0 * * 0", timezone: "UTC" });
  expect(toSchedule(" 0 6 * * MON-FRI ", "Asia/Tokyo", null, "d")).toMatchObject({ expression: "0 6 * * MON-FRI" });
  expect(toSchedule(null, "UTC", null, "d")).toBeNull();
});

test("the prototype's names are no presets", () => {
  expect(() => toSchedule("constructor", "UTC", null, "d")).toThrow(/is not a cron expression/);
});

test.each([
  ["2026-01-31", "UTC", "2026-01-31T00:00:00Z"],
  ["2026-07-01", "Europe/Paris", "2026-06-30T22:00:00Z"],
  ["2026-07-01T06:30", "America/New_York", "2026-07-01T10:30:00Z"],
  ["2026-07-01T06:30:00+02:00", "UTC", "2026-07-01T04:30:00Z"],
  ["2026-07-01T06:30:00Z", "Europe/Paris", "2026-07-01T06:30:00Z"],
])("%s in %s is %s", (moment, timezone, instant) => {
  expect(toInstant(moment, timezone, "start")).toBe(instant);
});

test("Temporal's instants and zoned times, and Dates, are moments", () => {
  const zoned = Temporal.ZonedDateTime.from("2026-07-01T00:00[Europe/Paris]");
  expect(toInstant(zoned, "UTC", "start")).toBe("2026-06-30T22:00:00Z");
  expect(toInstant(zoned.toInstant(), "UTC", "start")).toBe("2026-06-30T22:00:00Z");
  expect(toInstant(new Date(0), "UTC", "start")).toBe("1970-01-01T00:00:00.000Z");
  expect(() => toInstant(new Date(Number.NaN), "UTC", "start")).toThrow(/start is a Date, which is not a date/);
});

test("time zones are IANA names", () => {
  expect(checkTimezone(undefined, "d")).toBe("UTC");
  expect(checkTimezone("Europe/Paris", "d")).toBe("Europe/Paris");
  expect(() => checkTimezone("Paris", "d")).toThrow(/timezone "Paris" is unknown/);
});
