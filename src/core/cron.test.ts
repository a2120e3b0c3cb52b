// The policy for changes of the clocks, as a table: (expression, zone, after) → the next fire times.

import { expect, it } from "vitest";
import { compileCron } from "./cron.ts";

it.each<[string, string, string, string, string[]]>([
  [
    "a gap: the first instant after it",
    "30 2 * * *",
    "America/New_York",
    "2026-03-07T08:00Z",
    ["2026-03-08T07:00Z", "2026-03-09T06:30Z"],
  ],
  [
    "a gap: once, however many times lie in it",
    "*/10 2 * * *",
    "Europe/Paris",
    "2026-03-29T00:00Z",
    ["2026-03-29T01:00Z", "2026-03-30T00:00Z"],
  ],
  [
    "a gap: its start is in it",
    "0 2 * * *",
    "Europe/Paris",
    "2026-03-29T00:00Z",
    ["2026-03-29T01:00Z", "2026-03-30T00:00Z"],
  ],
  [
    "a gap: no time twice for its end",
    "30 2,3 * * *",
    "Europe/Paris",
    "2026-03-29T00:00Z",
    ["2026-03-29T01:00Z", "2026-03-29T01:30Z"],
  ],
  [
    "a gap: a wildcard hour leaves its times out",
    "30 * * * *",
    "Europe/Paris",
    "2026-03-29T00:00Z",
    ["2026-03-29T00:30Z", "2026-03-29T01:30Z"],
  ],
  [
    "a gap at midnight",
    "0 0 * * *",
    "America/Sao_Paulo",
    "2018-11-03T12:00Z",
    ["2018-11-04T03:00Z", "2018-11-05T02:00Z"],
  ],
  [
    "a gap of half an hour",
    "15 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00Z",
    ["2026-10-03T15:30Z", "2026-10-04T15:15Z"],
  ],
  [
    "a gap of a whole day",
    "0 12 30 12 *",
    "Pacific/Apia",
    "2011-12-29T00:00Z",
    ["2011-12-30T10:00Z", "2012-12-29T22:00Z"],
  ],
  [
    "an overlap: a fixed hour, the first time only",
    "30 1 * * *",
    "America/New_York",
    "2026-11-01T04:00Z",
    ["2026-11-01T05:30Z", "2026-11-02T06:30Z"],
  ],
  ["an overlap: asked inside it", "30 1 * * *", "America/New_York", "2026-11-01T06:10Z", ["2026-11-02T06:30Z"]],
  [
    "an overlap: a step of hours is fixed",
    "0 */2 * * *",
    "Europe/Paris",
    "2026-10-24T23:00Z",
    ["2026-10-25T00:00Z", "2026-10-25T03:00Z"],
  ],
  [
    "an overlap: a wildcard hour, at every real interval",
    "*/30 * * * *",
    "America/New_York",
    "2026-11-01T05:00Z",
    ["2026-11-01T05:30Z", "2026-11-01T06:00Z", "2026-11-01T06:30Z", "2026-11-01T07:00Z"],
  ],
  [
    "an overlap: all hours by their range",
    "0 0-23 * * *",
    "Europe/Paris",
    "2026-10-24T23:30Z",
    ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
  ],
  [
    "an overlap of half an hour",
    "45 1 * * *",
    "Australia/Lord_Howe",
    "2026-04-04T12:00Z",
    ["2026-04-04T14:45Z", "2026-04-05T15:15Z"],
  ],
  [
    "an overlap of half an hour, each hour",
    "45 * * * *",
    "Australia/Lord_Howe",
    "2026-04-04T14:00Z",
    ["2026-04-04T14:45Z", "2026-04-04T15:15Z", "2026-04-04T16:15Z"],
  ],
  ["day of month or weekday", "0 0 13 * 5", "UTC", "2026-11-12T12:00Z", ["2026-11-13T00:00Z", "2026-11-20T00:00Z"]],
  ["a weekday alone", "0 0 * * 5", "UTC", "2026-11-12T12:00Z", ["2026-11-13T00:00Z", "2026-11-20T00:00Z"]],
  ["seconds", "*/20 0 0 * * *", "UTC", "2026-11-12T00:00:20Z", ["2026-11-12T00:00:40Z", "2026-11-13T00:00Z"]],
  ["a leap day", "0 0 29 2 *", "Asia/Tokyo", "2026-01-01T00:00Z", ["2028-02-28T15:00Z", "2032-02-28T15:00Z"]],
  [
    "far from any change",
    "0 6 1 * *",
    "Europe/Paris",
    "2026-01-15T00:00Z",
    ["2026-02-01T05:00Z", "2026-03-01T05:00Z", "2026-04-01T04:00Z"],
  ],
])("%s: %s in %s", (_name, expression, timezone, after, expected) => {
  const next = compileCron(expression, timezone);
  const found: (string | undefined)[] = [];
  for (let time: Date | null = new Date(after); found.length < expected.length;) {
    time = time && next(time);
    found.push(time?.toISOString());
  }
  expect(found).toEqual(expected.map((time) => new Date(time).toISOString()));
});
