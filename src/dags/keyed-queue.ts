// Work by name: each name runs once at a time, a few names at once, in the order in which they were added. A run that
// throws comes back after a backoff, during which it takes no one's place.

import { backoffDelay, CALL_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";

export interface KeyedQueueOptions {
  /** The signal is aborted by stop(). */
  run: (key: string, signal: AbortSignal) => Promise<void>;
  concurrency: number;
  clock: Clock;
  log: Logger;
}

export interface KeyedQueue {
  /** Runs the key soon; when it is running already, once more after that. */
  add(key: string): void;
  /** Resolves when nothing waits, runs, or backs off. */
  whenIdle(): Promise<void>;
  /** Takes no more work and resolves when what runs has ended. */
  stop(): Promise<void>;
}

export function createKeyedQueue({ run, concurrency, clock, log }: KeyedQueueOptions): KeyedQueue {
  const stopping = new AbortController();
  const waiting = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const resting = new Map<string, AbortController>();
  const failures = new Map<string, number>();
  let onIdle: (() => void)[] = [];

  const isIdle = () => waiting.size + running.size + resting.size === 0;

  const pump = () => {
    for (const key of waiting) {
      if (running.size >= concurrency || stopping.signal.aborted) break;
      if (running.has(key)) continue;
      waiting.delete(key);
      running.set(key, runOne(key));
    }
    if (!isIdle()) return;
    for (const resolve of onIdle) resolve();
    onIdle = [];
  };

  const runOne = async (key: string) => {
    try {
      await run(key, stopping.signal);
      failures.delete(key);
    } catch (error) {
      if (stopping.signal.aborted) return;
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      log.error(
        { err: error, file: key, failures: count },
        "a DAG file could not be brought up to date; it is tried again",
      );
      if (!waiting.has(key)) void rest(key, count);
    } finally {
      running.delete(key);
      pump();
    }
  };

  const rest = async (key: string, count: number) => {
    const woken = new AbortController();
    resting.set(key, woken);
    await clock.sleep(backoffDelay(CALL_BACKOFF, count), AbortSignal.any([woken.signal, stopping.signal]));
    resting.delete(key);
    waiting.add(key);
    pump();
  };

  return {
    add: (key) => {
      const rests = resting.get(key);
      if (rests) return rests.abort();
      waiting.add(key);
      pump();
    },
    whenIdle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
    stop: async () => {
      stopping.abort();
      await Promise.all(running.values());
    },
  };
}
