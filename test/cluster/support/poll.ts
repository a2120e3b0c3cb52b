// For what can only be asked, never heard: the product's REST API and a pod list. Everything else waits for its signal.

import { systemClock } from "../../../src/lifecycle/clock.ts";

const INTERVAL_MS = 100;

/** The first answer that `fits`; after `limitMs` an error that says what the last one was. */
export async function pollUntil<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  describe: (answer: T) => string,
  limitMs: number,
): Promise<T> {
  const until = systemClock.monotonic() + limitMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (systemClock.monotonic() > until) throw new Error(`after ${limitMs / 1000} s: ${describe(answer)}`);
    await systemClock.sleep(INTERVAL_MS);
  }
}
