// A limit on how long a call may take, on the injected clock.

import type { Clock } from "../lifecycle/clock.ts";

export interface Deadline {
  signal: AbortSignal;
  expired: () => boolean;
  /** Ends the timer; the signal stays as it is. */
  end: () => void;
}

export function startDeadline(clock: Clock, ms: number, outer: AbortSignal | undefined): Deadline {
  const abort = new AbortController();
  const ended = new AbortController();
  let expired = false;
  void clock.sleep(ms, ended.signal).then(() => {
    if (ended.signal.aborted) return;
    expired = true;
    abort.abort(new Error(`no answer within ${ms} ms`));
  });
  return {
    signal: outer === undefined ? abort.signal : AbortSignal.any([abort.signal, outer]),
    expired: () => expired,
    end: () => ended.abort(),
  };
}
