import { expect, it } from "vitest";
import { measureDifference } from "./clock-difference.ts";

const at = (ms: number) => new Date(1_000_000 + ms);

it.each([
  // other, precision, before, after → seconds
  [5_000, 1, 5_000, 5_010, 0],
  [5_200, 1, 5_000, 5_010, 5.2 - 5.01],
  [4_000, 1, 5_000, 5_010, 4.001 - 5],
  // Within a whole second, cut off: nothing is proved.
  [4_000, 1_000, 4_900, 4_950, 0],
  [4_000, 1_000, 8_000, 8_010, -3],
  [9_000, 1_000, 5_000, 5_010, 3.99],
  // A slow answer proves less.
  [9_000, 1_000, 5_000, 9_500, 0],
])("other %i (±%i) between %i and %i: %f s", (other, precisionMs, before, after, seconds) => {
  const reading = { other: at(other), precisionMs, before: at(before), after: at(after) };
  expect(measureDifference(reading)).toBeCloseTo(seconds, 6);
});
