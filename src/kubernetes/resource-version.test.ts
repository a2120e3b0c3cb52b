import fc from "fast-check";
import { expect, test } from "vitest";
import { compareResourceVersions } from "./resource-version.ts";

test("orders numbers of any length", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n }), fc.bigInt({ min: 0n, max: 2n ** 128n }), (a, b) => {
      const order = compareResourceVersions(`${a}`, `${b}`);
      expect(Math.sign(order ?? Number.NaN)).toBe(a === b ? 0 : a < b ? -1 : 1);
    }),
  );
});

test.each([
  ["abc", "12"],
  ["012", "12"],
  ["", "1"],
  ["-1", "1"],
])("does not order %j and %j", (a, b) => {
  expect(compareResourceVersions(a, b)).toBeNull();
});
