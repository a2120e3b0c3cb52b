import { expect, test } from "vitest";
import { createFailureLimiter } from "./failure-limiter.ts";

const failTimes = (limiter: ReturnType<typeof createFailureLimiter>, address: string, times: number, at = 0) => {
  for (let failure = 0; failure < times; failure += 1) limiter.recordFailure(address, at);
};

test("ten failures close an address until its window ends", () => {
  const limiter = createFailureLimiter();
  failTimes(limiter, "10.0.0.1", 9, 1000);
  expect(limiter.waitOf("10.0.0.1", 2000)).toBe(0);
  limiter.recordFailure("10.0.0.1", 3000);
  expect(limiter.waitOf("10.0.0.1", 3000)).toBe(58_000);
  expect(limiter.waitOf("10.0.0.2", 3000)).toBe(0);
  expect(limiter.waitOf("10.0.0.1", 61_000)).toBe(0);
});

test("the addresses of one IPv6 network count together", () => {
  const limiter = createFailureLimiter();
  failTimes(limiter, "2001:db8:1:2::1", 5);
  failTimes(limiter, "2001:db8:1:2:aaaa:bbbb:cccc:dddd", 5);
  expect(limiter.waitOf("2001:db8:1:2::ffff", 0)).toBe(60_000);
  expect(limiter.waitOf("2001:db8:1:3::1", 0)).toBe(0);
  expect(limiter.waitOf("::1", 0)).toBe(0);
});

test("memory is bounded: the oldest window goes first", () => {
  const limiter = createFailureLimiter(2);
  failTimes(limiter, "10.0.0.1", 10, 0);
  failTimes(limiter, "10.0.0.2", 10, 1);
  failTimes(limiter, "10.0.0.3", 10, 2);
  expect(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((address) => limiter.waitOf(address, 2) > 0)).toEqual([
    false,
    true,
    true,
  ]);
});
