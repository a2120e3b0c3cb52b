// The shape of every background activity: runOnce() does what there is to do and returns counts. The loop runs it
// when woken, when a due time comes, and every `intervalMs` for what a wake-up missed. Wake-ups coalesce; errors are
// logged, counted and retried with backoff; the last finished pass is visible to probes.

import { type BackoffPolicy, backoffDelay, CALL_BACKOFF } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./log.ts";
import type { Service } from "./service.ts";

/** What a pass did: counts for the log, whether more is waiting, and when the next known work is due. */
export interface PassResult {
  counts: Record<string, number>;
  /** true: run again at once, a batch was full. */
  more?: boolean;
  /** Milliseconds until known work is due. */
  dueInMs?: number | null;
}

export interface LoopOptions {
  name: string;
  runOnce: (signal: AbortSignal) => Promise<PassResult>;
  /** The longest pause between passes. */
  intervalMs: number;
  clock: Clock;
  log: Logger;
  backoff?: BackoffPolicy;
  onPass?: (name: string, seconds: number, failed: boolean) => void;
}

export interface Loop extends Service {
  /** Runs a pass soon; many calls before it are one. */
  wake(): void;
  /** Milliseconds since a pass last came to an end, well or not: grows only when the loop hangs. */
  sinceLastPassMs(): number;
}

export function createLoop(options: LoopOptions): Loop {
  const { name, clock, log, intervalMs } = options;
  const stopping = new AbortController();
  let woken = false;
  let interrupt: AbortController | null = null;
  let running: Promise<void> | null = null;
  let lastPass = clock.monotonic();

  const wake = () => {
    woken = true;
    interrupt?.abort();
  };

  const pause = async (ms: number) => {
    if (woken || stopping.signal.aborted) return;
    interrupt = new AbortController();
    await clock.sleep(ms, interrupt.signal);
    interrupt = null;
  };

  const run = async () => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      woken = false;
      const began = clock.monotonic();
      let pauseMs = intervalMs;
      let failed = false;
      try {
        const result = await options.runOnce(stopping.signal);
        failures = 0;
        if (Object.values(result.counts).some((count) => count > 0))
          log.debug({ loop: name, ...result.counts }, "pass");
        if (result.more) continue;
        if (typeof result.dueInMs === "number") pauseMs = Math.min(pauseMs, Math.max(0, result.dueInMs));
      } catch (error) {
        if (stopping.signal.aborted) break;
        failures += 1;
        failed = true;
        pauseMs = backoffDelay(options.backoff ?? CALL_BACKOFF, failures);
        log.error({ loop: name, err: error, failures }, "pass failed");
      } finally {
        lastPass = clock.monotonic();
        options.onPass?.(name, (clock.monotonic() - began) / 1000, failed);
      }
      // A wake-up does not shorten a backoff: events come thickest when the database is in trouble.
      if (failed) await clock.sleep(pauseMs, stopping.signal);
      else await pause(pauseMs);
    }
  };

  return {
    name,
    wake,
    sinceLastPassMs: () => clock.monotonic() - lastPass,
    start: async () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      // Not AbortSignal.any: one made for each pause would stay registered with the signal that lives as long as we do.
      interrupt?.abort();
      await running;
    },
  };
}
