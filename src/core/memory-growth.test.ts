import fc from "fast-check";
import { expect, test } from "vitest";
import { capFloor, growLimit, raiseMemory } from "./memory-growth.ts";
import { formatBytes, parseQuantity } from "./quantity.ts";

const Mi = 1024n * 1024n;

test.each([
  ["0", 0n],
  ["128974848", 128_974_848n],
  ["129e6", 129_000_000n],
  ["1E3", 1_000n],
  ["129M", 129_000_000n],
  ["123Mi", 123n * Mi],
  ["1.5Gi", 1536n * Mi],
  [".5k", 500n],
  ["1.", 1n],
  ["128974848000m", 128_974_848n],
  ["1m", 1n],
  ["1500u", 1n],
  ["2n", 1n],
  ["4Ki", 4_096n],
  ["8Ei", 8n * 1024n ** 6n],
  ["1E", 10n ** 18n],
  ["3T", 3n * 10n ** 12n],
  ["2Pi", 2n * 1024n ** 5n],
  ["1e-2", 1n],
])("the quantity %s", (text, bytes) => {
  expect(parseQuantity(text)).toBe(bytes);
});

test.each(["", "Mi", "-1Mi", "1mi", "1KI", "1 Mi", "0x10", "1e", "1e3Mi", ".", "NaN"])("no quantity: %j", (text) => {
  expect(parseQuantity(text)).toBeNull();
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 70n }), (bytes) => {
      expect(parseQuantity(formatBytes(bytes))).toBe(bytes);
    }),
  );
});

test.each([
  [2, "4Gi", 256n, 512n],
  [1.5, "4Gi", 256n, 384n],
  [1.25, "4Gi", 257n, 322n],
  [2, "300Mi", 256n, 300n],
  [2, "256Mi", 256n, null],
  [2, "100Mi", 256n, null],
])("factor %s up to %s: %s Mi becomes %s Mi", (factor, max, limit, expected) => {
  expect(growLimit({ factor, max }, limit * Mi)).toBe(expected === null ? null : expected * Mi);
});

test("it always grows, never above the cap, and so comes to an end", () => {
  const growth = fc.record({
    factor: fc.double({ min: 1.01, max: 10, noNaN: true }),
    max: fc.integer({ min: 1, max: 65_536 }).map((mi) => `${mi}Mi`),
  });
  fc.assert(
    fc.property(growth, fc.bigInt({ min: 1n, max: 2n ** 36n }), (rule, first) => {
      let limit = first;
      for (let steps = 0; ; steps += 1) {
        const next = growLimit(rule, limit);
        if (next === null) break;
        expect(next).toBeGreaterThan(limit);
        expect(next).toBeLessThanOrEqual(parseQuantity(rule.max) ?? 0n);
        limit = next;
        expect(steps).toBeLessThan(70_000);
      }
    }),
    { numRuns: 50 },
  );
});

test("a cap that was lowered since counts", () => {
  expect(capFloor({ factor: 2, max: "1Gi" }, 2048n * Mi)).toBe(1024n * Mi);
  expect(capFloor({ factor: 2, max: "4Gi" }, 2048n * Mi)).toBe(2048n * Mi);
});

test.each([
  [
    "limit and request in step",
    { limits: { memory: "256Mi", cpu: "1" }, requests: { memory: "128Mi" } },
    { limits: { memory: "512Mi", cpu: "1" }, requests: { memory: "256Mi" } },
  ],
  [
    "a request of the same size",
    { limits: { memory: "256Mi" }, requests: { memory: "256Mi" } },
    { limits: { memory: "512Mi" }, requests: { memory: "512Mi" } },
  ],
  ["no request", { limits: { memory: "256Mi" } }, { limits: { memory: "512Mi" } }],
  ["a limit that is higher already", { limits: { memory: "1Gi" } }, { limits: { memory: "1Gi" } }],
  ["no limit", { requests: { memory: "128Mi" } }, { requests: { memory: "128Mi" } }],
  ["an unreadable limit is the API server's to refuse", { limits: { memory: "lots" } }, { limits: { memory: "lots" } }],
])("a floor of 512 Mi over %s", (_, resources, expected) => {
  expect(raiseMemory(resources, 512n * Mi)).toEqual(expected);
});
