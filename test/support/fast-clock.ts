// A clock on which `factor` seconds pass in each real one: for tests of what takes seconds by design.

import { type Clock, systemClock } from "../../src/lifecycle/clock.ts";

export function createFastClock(factor: number): Clock {
  return {
    now: systemClock.now,
    monotonic: () => performance.now() * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}
