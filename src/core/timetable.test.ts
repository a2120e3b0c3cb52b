import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileCron } from "./cron.ts";
import type { Schedule } from "./definition.ts";
import { findLatestTick, findScheduleFault } from "./ticks.ts";
import { type DueRun, listNextRuns, nextDueRun } from "./timetable.ts";

const cron = (expression: string, timezone = "UTC") => ({ kind: "cron" as const, expression, timezone });
const bounds = (options: object = {}) => ({
  dag_id: "d",
  schedule: cron("0 6 * * *"),
  start_date: null,
  end_date: null,
  catchup: false,
  ...options,
});
const at = (iso: string) => new Date(iso);

describe("compileCron", () => {
  it.each([
    ["0 6 * * *", "UTC", "2026-03-01T06:00:00Z", "2026-03-02T06:00:00.000Z"],
    ["0 6 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-29T04:00:00.000Z"],
    // A gap: the first instant after it.
    ["30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00.000Z"],
    // An overlap: a fixed hour fires once.
    ["30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00.000Z"],
    // A wildcard hour fires at every real interval.
    ["*/30 * * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00.000Z"],
    // Day of month and weekday combine with OR.
    ["0 0 13 * 5", "UTC", "2026-11-20T12:00:00Z", "2026-11-27T00:00:00.000Z"],
  ])("%s in %s after %s is %s", (expression, timezone, after, expected) => {
    expect(compileCron(expression, timezone)(at(after))?.toISOString()).toBe(expected);
  });

  it("is null for a date that never comes", () => {
    expect(compileCron("0 0 30 2 *", "UTC")(at("2026-01-01T00:00:00Z"))).toBeNull();
  });
});

describe("nextDueRun", () => {
  it("starts with the next fire time, when the DAG is new", () => {
    expect(nextDueRun(bounds(), null, at("2026-11-21T08:00:00Z"))?.run_after).toEqual(at("2026-11-22T06:00:00Z"));
  });

  it("creates the latest of the missed runs without catchup", () => {
    const due = nextDueRun(bounds(), at("2026-11-10T06:00:00Z"), at("2026-11-21T08:00:00Z"));
    expect(due?.logical_date).toEqual(at("2026-11-21T06:00:00Z"));
  });

  it("creates every missed run with catchup, from the start date on", () => {
    const options = bounds({ catchup: true, start_date: "2026-11-18T06:00:00Z" });
    const now = at("2026-11-21T08:00:00Z");
    const first = nextDueRun(options, null, now);
    expect(first?.logical_date).toEqual(at("2026-11-18T06:00:00Z"));
    expect(nextDueRun(options, first?.logical_date ?? null, now)?.logical_date).toEqual(at("2026-11-19T06:00:00Z"));
  });

  it("ends with the end date", () => {
    const options = bounds({ end_date: "2026-11-21T06:00:00Z" });
    expect(nextDueRun(options, at("2026-11-21T06:00:00Z"), at("2026-11-21T08:00:00Z"))).toBeNull();
  });

  it("never starts before the start date", () => {
    const options = bounds({ start_date: "2027-01-01T00:00:00Z" });
    expect(nextDueRun(options, null, at("2026-11-21T08:00:00Z"))?.run_after).toEqual(at("2027-01-01T06:00:00Z"));
  });
});

describe("findScheduleFault", () => {
  it("names the time zone or the expression", () => {
    expect(findScheduleFault(cron("0 6 * * *", "Europe/Pari"))).toContain('timezone "Europe/Pari"');
    expect(findScheduleFault(cron("0 6 * *"))).toContain('schedule "0 6 * *"');
    expect(findScheduleFault(cron("0 25 * * *"))).toContain('schedule "0 25 * * *"');
    expect(findScheduleFault(cron("0 6 * * *", "Europe/Paris"))).toBeNull();
  });
});

const iso = (runs: readonly DueRun[]) => runs.map((run) => run.logical_date.toISOString().slice(0, 16));

describe("listNextRuns", () => {
  const from = at("2026-11-21T08:00:00Z");
  it.each<[string, Schedule, object, string[]]>([
    [
      "several crons",
      { kind: "crons", expressions: ["0 9 * * *", "0 */3 * * *"], timezone: "UTC" },
      {},
      ["2026-11-21T09:00", "2026-11-21T12:00"],
    ],
    [
      "an interval",
      { kind: "interval", seconds: 5400, anchor: "2026-01-01T00:00:00Z" },
      {},
      ["2026-11-21T09:00", "2026-11-21T10:30"],
    ],
    ["times", { kind: "times", times: ["2026-11-21T08:00:00Z", "2026-12-01T00:00:00Z"] }, {}, ["2026-12-01T00:00"]],
    ["once, in the future", { kind: "once" }, { start_date: "2027-01-01T00:00:00Z" }, ["2027-01-01T00:00"]],
    ["once, in the past", { kind: "once" }, { start_date: "2026-01-01T00:00:00Z" }, []],
    ["an end", cron("0 9 * * *"), { end_date: "2026-11-21T09:00:00Z" }, ["2026-11-21T09:00"]],
    ["a start", cron("0 9 * * *"), { start_date: "2027-01-01T09:00:00Z" }, ["2027-01-01T09:00", "2027-01-02T09:00"]],
    ["the open interval", cron("0 6 * * *"), { intervals: "previous" }, ["2026-11-21T06:00", "2026-11-22T06:00"]],
  ])("%s", (_name, schedule, more, expected) => {
    expect(iso(listNextRuns({ ...bounds(more), schedule }, from, 2))).toEqual(expected);
  });
});

describe("findLatestTick", () => {
  it("is the last tick that stepping finds, in any zone and for any instant", () => {
    const expressions = fc.constantFrom("* * * * *", "*/7 1,2 * * *", "30 2 * * 0", "0 0 29 2 *", "0 12 1 */3 *");
    const zones = fc.constantFrom("UTC", "Europe/Paris", "Australia/Lord_Howe");
    fc.assert(
      fc.property(
        expressions,
        zones,
        fc.date({ min: at("2010-01-01"), max: at("2030-01-01"), noInvalidDate: true }),
        (expression, zone, instant) => {
          const next = compileCron(expression, zone);
          const latest = findLatestTick(next, instant);
          if (!latest) throw new Error("there is always one");
          expect(latest.getTime()).toBeLessThanOrEqual(instant.getTime());
          // Nothing comes between it and the instant, and it is a tick itself.
          expect(next(latest)?.getTime()).toBeGreaterThan(instant.getTime());
          expect(next(new Date(latest.getTime() - 1))).toEqual(latest);
        },
      ),
      { numRuns: 60 },
    );
  });
});
