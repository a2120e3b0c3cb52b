// Cron against two libraries that share no code with ours, around changes of the clocks. Where they differ from each other at
// a change, a scheduler has to choose; each kind of difference is in the list below with its reason and an example.

import { CronExpressionParser } from "cron-parser";
import { CronosExpression } from "cronosjs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { compileCron } from "./cron.ts";

type Library = "cron-parser" | "cronosjs";
interface Question {
  expression: string;
  zone: string;
  after: Date;
}

const ask: Record<Library, (question: Question) => string | null> = {
  "cron-parser": ({ expression, zone, after }) =>
    orNull(() => CronExpressionParser.parse(expression, { tz: zone, currentDate: after }).next().toDate()),
  cronosjs: ({ expression, zone, after }) =>
    orNull(() => CronosExpression.parse(expression, { timezone: zone }).nextDate(after)),
};

/** Both throw, or answer null, where they find nothing. */
function orNull(answer: () => Date | null): string | null {
  try {
    return answer()?.toISOString() ?? null;
  } catch {
    return null;
  }
}

function askOurs({ expression, zone, after }: Question): string | null {
  return compileCron(expression, zone)(after)?.toISOString() ?? null;
}

interface Difference {
  library: Library;
  change: "gap" | "overlap";
  hours: "every" | "fixed";
  reason: string;
  example: { expression: string; zone: string; after: string; ours: string; theirs: string | null };
}

const DIFFERENCES: Difference[] = [
  {
    library: "cron-parser",
    change: "gap",
    hours: "fixed",
    reason: "It fires as far behind the gap as the time lies in it; our rule is the first instant after the gap.",
    example: {
      expression: "59 2 * * *",
      zone: "America/New_York",
      after: "2013-03-10T04:58:00.000Z",
      ours: "2013-03-10T07:00:00.000Z",
      theirs: "2013-03-10T07:59:00.000Z",
    },
  },
  {
    library: "cron-parser",
    change: "overlap",
    hours: "fixed",
    reason: "Asked inside an overlap it fires in the second pass too, or gives up; a fixed hour is to fire once.",
    example: {
      expression: "38-42 1,15 * * *",
      zone: "America/New_York",
      after: "2010-11-07T06:37:00.000Z",
      ours: "2010-11-07T20:38:00.000Z",
      theirs: "2010-11-07T06:38:00.000Z",
    },
  },
  {
    library: "cronosjs",
    change: "gap",
    hours: "every",
    reason: "It makes up at the gap's end for times inside the gap; an hourly job has lost no real hour.",
    example: {
      expression: "53 * * * *",
      zone: "America/New_York",
      after: "2011-03-13T06:57:00.000Z",
      ours: "2011-03-13T07:53:00.000Z",
      theirs: "2011-03-13T07:00:00.000Z",
    },
  },
  {
    library: "cronosjs",
    change: "overlap",
    hours: "every",
    reason: "Asked in the second pass it is silent until its end; a wildcard hour is to fire at every real interval.",
    example: {
      expression: "42,46,49 * * * *",
      zone: "America/New_York",
      after: "2027-11-07T06:43:00.000Z",
      ours: "2027-11-07T06:46:00.000Z",
      theirs: "2027-11-07T07:42:00.000Z",
    },
  },
  {
    library: "cronosjs",
    change: "gap",
    hours: "fixed",
    reason: "At gaps of half an hour, and for hours on both sides of a gap, it looks for the time behind the gap.",
    example: {
      expression: "1,2,18 */2 1,10 * *",
      zone: "Australia/Lord_Howe",
      after: "2023-09-30T15:17:00.000Z",
      ours: "2023-09-30T15:30:00.000Z",
      theirs: "2023-09-30T15:31:00.000Z",
    },
  },
  {
    library: "cronosjs",
    change: "overlap",
    hours: "fixed",
    reason: "It may take the second pass of an overlap for the first; the first pass comes sooner.",
    example: {
      expression: "* 0,1,3 * * *",
      zone: "Pacific/Apia",
      after: "2014-04-05T11:59:00.000Z",
      ours: "2014-04-05T13:00:00.000Z",
      theirs: "2014-04-05T14:00:00.000Z",
    },
  },
];

it.each(DIFFERENCES)("$library differs at a $change, hours $hours: $reason", ({ library, example }) => {
  const question = { ...example, after: new Date(example.after) };
  expect({ ours: askOurs(question), theirs: ask[library](question) }).toEqual({
    ours: example.ours,
    theirs: example.theirs,
  });
});

const ZONES = [
  "UTC",
  "Europe/Paris",
  "America/New_York",
  "Australia/Lord_Howe",
  "America/Sao_Paulo",
  "Asia/Tokyo",
  "Africa/Casablanca",
  "Pacific/Apia",
  "America/Havana",
  "Asia/Kathmandu",
];

function fieldBetween(low: number, high: number): fc.Arbitrary<string> {
  const value = fc.integer({ min: low, max: high });
  const ascending = (length: number) =>
    fc.uniqueArray(value, { minLength: 2, maxLength: length }).map((values) => values.toSorted((a, b) => a - b));
  return fc.oneof(
    fc.constant("*"),
    value.map(String),
    ascending(2).map((ends) => ends.join("-")),
    ascending(4).map((values) => values.join(",")),
    fc.integer({ min: 2, max: Math.max(2, Math.floor((high - low) / 2)) }).map((step) => `*/${step}`),
  );
}
const seldom = (field: fc.Arbitrary<string>) => fc.oneof({ weight: 4, arbitrary: fc.constant("*") }, field);

const expressions = fc
  .tuple(
    fieldBetween(0, 59),
    // Changes happen at night.
    fc.oneof(fieldBetween(0, 4), fieldBetween(0, 23)),
    seldom(fieldBetween(1, 31)),
    seldom(fieldBetween(1, 12)),
    seldom(fieldBetween(0, 6)),
  )
  .map((fields) => fields.join(" "));

const questions: fc.Arbitrary<Question> = fc
  .record({
    expression: expressions,
    zone: fc.constantFrom(...ZONES),
    year: fc.integer({ min: 2010, max: 2026 }),
    change: fc.nat(3),
    minutes: fc.integer({ min: -180, max: 180 }),
  })
  .map(({ expression, zone, year, change, minutes }) => {
    let time = Temporal.ZonedDateTime.from(`${year}-01-01T00:00[${zone}]`);
    for (let passed = 0; passed <= change; passed += 1) time = time.getTimeZoneTransition("next") ?? time;
    return { expression, zone, after: new Date(time.epochMilliseconds + minutes * 60_000) };
  });

it("agrees with both wherever no listed difference is at hand", () => {
  fc.assert(
    fc.property(questions, (question) => {
      const ours = askOurs(question);
      for (const library of ["cron-parser", "cronosjs"] as const) {
        const theirs = ask[library](question);
        if (ours === theirs) continue;
        const changes = changesUntil(question, [ours, theirs]);
        const hours = /^\S+ (\*|0-23) /.test(question.expression) ? "every" : "fixed";
        const known = DIFFERENCES.some(
          (one) => one.library === library && one.hours === hours && changes.has(one.change),
        );
        if (!known) throw new Error(`${JSON.stringify(question)}: ours ${ours}, ${library} ${theirs}`);
      }
    }),
    { numRuns: 400 },
  );
});

/** The changes between the instant and the later answer, and those whose second pass the instant may lie in. */
function changesUntil({ zone, after }: Question, answers: readonly (string | null)[]): Set<"gap" | "overlap"> {
  const day = 86_400_000;
  // A library that gives up has met a change within days.
  const end = Math.max(...answers.map((answer) => (answer === null ? after.getTime() + 2 * day : Date.parse(answer))));
  const found = new Set<"gap" | "overlap">();
  let time = Temporal.Instant.fromEpochMilliseconds(after.getTime() - 3_600_000).toZonedDateTimeISO(zone);
  for (;;) {
    const next = time.getTimeZoneTransition("next");
    if (!next || next.epochMilliseconds > end) return found;
    const before = next.subtract({ milliseconds: 1 }).offsetNanoseconds;
    if (next.offsetNanoseconds !== before) found.add(next.offsetNanoseconds > before ? "gap" : "overlap");
    time = next;
  }
}
