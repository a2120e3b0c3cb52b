import { expect, it } from "vitest";
import { createVirtualClock } from "./virtual-clock.ts";

const start = new Date("2026-01-01T00:00:00Z");

it("wakes sleepers in the order of their times, at those times", async () => {
  const clock = createVirtualClock(start);
  const woken: [string, number][] = [];
  const sleep = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push([name, clock.monotonic()]);
  };
  await Promise.all([
    sleep("day", 86_400_000),
    sleep("second", 1_000),
    sleep("both", 500).then(() => sleep("later", 100)),
  ]);
  expect(woken).toEqual([
    ["both", 500],
    ["later", 600],
    ["second", 1_000],
    ["day", 86_400_000],
  ]);
  expect(clock.now()).toEqual(new Date("2026-01-02T00:00:00Z"));
});

it("stands still while work is held", async () => {
  const clock = createVirtualClock(start);
  const work = Promise.withResolvers<number>();
  const held = clock.hold(work.promise);
  let woken = false;
  const slept = clock.sleep(1).then(() => (woken = true));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(woken).toBe(false);
  work.resolve(3);
  expect(await held).toBe(3);
  await slept;
  expect(clock.monotonic()).toBe(1);
});

it("ends a sleep that is aborted, without passing time", async () => {
  const clock = createVirtualClock(start);
  const abort = new AbortController();
  const held = clock.hold(new Promise((resolve) => setImmediate(resolve)));
  const slept = clock.sleep(1_000, abort.signal);
  abort.abort();
  await slept;
  await clock.sleep(1_000, abort.signal);
  expect(clock.monotonic()).toBe(0);
  await held;
});
