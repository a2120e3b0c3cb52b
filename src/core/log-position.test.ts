import fc from "fast-check";
import { expect, test } from "vitest";
import { beginReading, LOG_BEGINNING, type LogPosition, parseLogTime } from "./log-position.ts";

const SECOND = 1_000_000_000n;

test.each([
  ["2026-01-01T00:00:00Z", 1_767_225_600n * SECOND],
  ["2026-01-01T00:00:00.000000001Z", 1_767_225_600n * SECOND + 1n],
  ["2026-01-01T00:00:00.5Z", 1_767_225_600n * SECOND + SECOND / 2n],
  ["2026-01-01T01:00:00.5+01:00", 1_767_225_600n * SECOND + SECOND / 2n],
  ["failed to open log", null],
  ["2026-01-01", null],
])("the time %s", (text, expected) => {
  expect(parseLogTime(text)).toBe(expected);
});

interface Line {
  time: bigint;
  text: string;
}

/** As the kubelet answers: the lines of the present file that are not before `since`, each judged by itself. */
function read(file: readonly Line[], from: LogPosition, atMost = Infinity): { taken: string[]; position: LogPosition } {
  const reading = beginReading(from);
  const taken: string[] = [];
  for (const line of file) {
    if (from.since !== null && line.time < BigInt(from.since) * SECOND) continue;
    if (taken.length >= atMost) break;
    if (reading.take(line.time)) taken.push(line.text);
  }
  return { taken, position: reading.position() };
}

/** Lines at irregular times; some at the same, some a little out of order, as two streams give them. */
const log = fc
  .array(
    fc.record({
      after: fc.constantFrom(0n, 1n, 1_000n, 300_000_000n, SECOND, 7n * SECOND),
      early: fc.constantFrom(0n, 0n, 0n, 500n, 200_000_000n),
    }),
    { maxLength: 120 },
  )
  .map((steps) => {
    let now = 1_767_225_600n * SECOND;
    return steps.map(({ after, early }, index) => ({ time: (now += after) - early, text: String(index) }));
  });

test("a log that is read in pieces is read whole, and nothing of it twice", () => {
  fc.assert(
    fc.property(
      log,
      fc.array(fc.nat(40), { maxLength: 20 }),
      fc.integer({ min: 1, max: 50 }),
      (lines, steps, atMost) => {
        let position = LOG_BEGINNING;
        let written = 0;
        const got: string[] = [];
        for (const step of [...steps, lines.length]) {
          written = Math.min(lines.length, written + step);
          for (;;) {
            const answer = read(lines.slice(0, written), position, atMost);
            got.push(...answer.taken);
            position = answer.position;
            if (answer.taken.length < atMost) break;
          }
        }
        expect(got).toEqual(lines.map((line) => line.text));
      },
    ),
  );
});

test("after a rotation what is left is read, and nothing twice", () => {
  const at = (seconds: number, text: string) => ({ time: BigInt(seconds) * SECOND, text });
  const before = [at(100, "a"), at(100, "b"), at(101, "c"), at(101, "d")];
  const { taken, position } = read(before, LOG_BEGINNING);
  expect(taken).toEqual(["a", "b", "c", "d"]);
  // "e" was written to the old file and is lost; the new file has fewer lines than were taken.
  const after = [at(102, "f"), at(103, "g")];
  const next = read(after, position);
  expect(next.taken).toEqual(["f", "g"]);
  expect(read([...after, at(103, "h")], next.position).taken).toEqual(["h"]);
});

test("an empty answer changes nothing", () => {
  const { position } = read([{ time: SECOND, text: "a" }], LOG_BEGINNING);
  expect(read([], position).position).toEqual(position);
});
