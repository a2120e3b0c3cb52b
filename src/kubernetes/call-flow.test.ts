import fc from "fast-check";
import { expect, test } from "vitest";
import { adjustFlow, type CallFlow, freePlaces, openFlow } from "./call-flow.ts";

const good = { overloaded: false, began_at: 0, retry_after_ms: null };
const bad = (beganAt: number, retryAfterMs: number | null = null) => ({
  overloaded: true,
  began_at: beganAt,
  retry_after_ms: retryAfterMs,
});

test("a burst of refusals halves the limit once", () => {
  let flow = openFlow(32);
  for (let each = 0; each < 32; each += 1) flow = adjustFlow(flow, bad(0), 100 + each);
  expect(flow.limit).toBe(16);
  flow = adjustFlow(flow, bad(150), 200);
  expect(flow.limit).toBe(8);
});

test("a round of good calls adds one", () => {
  let flow: CallFlow = { ...openFlow(32), limit: 8 };
  for (let each = 0; each < 8; each += 1) flow = adjustFlow(flow, good, 0);
  expect(flow.limit).toBeGreaterThan(8.9);
  expect(flow.limit).toBeLessThanOrEqual(9);
});

test("Retry-After holds everybody, a shorter one does not shorten it", () => {
  let flow = adjustFlow(openFlow(4), bad(0, 5_000), 1_000);
  flow = adjustFlow(flow, bad(0, 1_000), 1_500);
  expect(freePlaces(flow, 0, 5_999)).toBe(0);
  expect(freePlaces(flow, 0, 6_000)).toBe(2);
});

test("whatever happens, one call may go and never more than the maximum", () => {
  const end = fc.record({
    overloaded: fc.boolean(),
    began_at: fc.nat(10_000),
    retry_after_ms: fc.option(fc.nat(60_000)),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(end, { maxLength: 200 }), (max, ends) => {
      let flow = openFlow(max);
      let now = 0;
      for (const each of ends) {
        now += 100;
        flow = adjustFlow(flow, each, now);
        expect(Math.floor(flow.limit)).toBeGreaterThanOrEqual(1);
        expect(flow.limit).toBeLessThanOrEqual(max);
      }
      expect(freePlaces(flow, 0, flow.paused_until)).toBeGreaterThanOrEqual(1);
    }),
  );
});
