// A clock whose time passes only when nobody has anything to do: whoever sleeps wakes at once, in the right order, and what is
// counted in hours takes milliseconds.

import type { Clock } from "./clock.ts";

// Kept from before a test may put fake timers in its place.
const soon = setImmediate;

export interface VirtualClock extends Clock {
  /** Time stands still until the work is done. */
  hold<T>(work: Promise<T>): Promise<T>;
  /** Whoever sleeps, and goes to sleep later, is never woken. */
  stop(): void;
}

interface Sleeper {
  wakesAt: number;
  wake: () => void;
}

export function createVirtualClock(start: Date): VirtualClock {
  const began = start.getTime();
  const sleepers = new Set<Sleeper>();
  let now = began;
  let held = 0;
  let planned = false;
  let stopped = false;

  const moveOn = (): void => {
    planned = false;
    if (stopped || held > 0 || sleepers.size === 0) return;
    now = Math.max(now, Math.min(...[...sleepers].map(({ wakesAt }) => wakesAt)));
    for (const sleeper of sleepers) if (sleeper.wakesAt <= now) sleeper.wake();
    plan();
  };
  // Only after everything that follows from the last moment has happened: promises settle before setImmediate.
  const plan = (): void => {
    if (planned || held > 0 || sleepers.size === 0) return;
    planned = true;
    soon(moveOn);
  };

  return {
    now: () => new Date(now),
    monotonic: () => now - began,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper: Sleeper = {
          wakesAt: now + Math.max(0, ms),
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        signal?.addEventListener("abort", sleeper.wake, { once: true });
        sleepers.add(sleeper);
        plan();
      }),
    hold: async (work) => {
      held += 1;
      try {
        return await work;
      } finally {
        held -= 1;
        plan();
      }
    },
    stop: () => {
      stopped = true;
    },
  };
}
