import { expect, test } from "vitest";
import { isFailure } from "../core/errors.ts";
import type { OutcomeKind } from "../core/outcome.ts";
import type { TaskState } from "../core/states.ts";
import { decodeCursor, encodeCursor, isTryOver } from "./log-cursor.ts";

test("a token leads back to its place, any other text is refused", () => {
  for (const cursor of [
    { epoch: 0, seq: -1 },
    { epoch: 12, seq: 34_567 },
  ])
    expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
  for (const text of ["", "x", Buffer.from("1.2.3").toString("base64url"), Buffer.from("-1.2").toString("base64url")]) {
    expect(() => decodeCursor(text)).toThrow(expect.toSatisfy((error: unknown) => isFailure(error, "invalid_request")));
  }
});

const over: [TaskState | null, number, OutcomeKind | "open" | "none", boolean][] = [
  [null, 0, "none", false],
  ["queued", 1, "open", false],
  ["running", 1, "open", false],
  // The outcome is written, the instance has not moved yet.
  ["running", 1, "success", true],
  ["success", 1, "success", true],
  ["up_for_retry", 1, "task_failed", true],
  // After the cluster's fault the same try goes on.
  ["up_for_retry", 1, "evicted", false],
  ["scheduled", 1, "evicted", false],
  ["failed", 1, "evicted", true],
  ["queued", 2, "task_failed", true],
  ["upstream_failed", 0, "none", true],
  // Ended by a person while its worker still talks.
  ["failed", 1, "open", false],
];
test.each(over)(
  "instance %s in try %i, newest attempt %s: try 1 is over: %s",
  (state, try_number, outcome, expected) => {
    const last = outcome === "none" ? undefined : { outcome: outcome === "open" ? null : outcome };
    expect(isTryOver({ state, try_number }, 1, last)).toBe(expected);
  },
);
