import fc from "fast-check";
import { expect, test } from "vitest";
import { labelValue } from "./pod-labels.ts";

const VALID = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/;

test("keeps what is valid, and marks what it had to change", () => {
  expect(labelValue("sum_of.squares-2")).toBe("sum_of.squares-2");
  expect(labelValue("manual__2026-01-01T06:00:00+01:00")).toMatch(/^manual__2026-01-01T06-00-00-01-00-[0-9a-f]{10}$/);
  expect(labelValue("a b")).not.toBe(labelValue("a+b"));
  expect(labelValue("")).toMatch(/^[0-9a-f]{10}$/);
});

test("is a valid label for any text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (raw) => {
      expect(labelValue(raw)).toMatch(VALID);
      expect(labelValue(raw).length).toBeLessThanOrEqual(63);
    }),
  );
});
