// An ordered queue that hands its items over in batches: one at a time, in order, when enough have come or the first has
// waited long enough. The first failure ends it: what is queued behind is dropped, and the owner starts anew.

import type { Clock } from "../lifecycle/clock.ts";

export interface BatcherOptions<T> {
  maxItems: number;
  maxDelayMs: number;
  /** add() holds its caller back while more than this many wait. */
  maxQueued: number;
  flush: (items: T[]) => Promise<void>;
  clock: Clock;
  onFailure: () => void;
}

export interface Batcher<T> {
  /** Resolves when there is room for more; rejects with the failure of a flush. */
  add(items: readonly T[]): Promise<void>;
  /** Resolves when all has been handed over; rejects with the failure of a flush. */
  drain(): Promise<void>;
}

export function createBatcher<T>(options: BatcherOptions<T>): Batcher<T> {
  let queue: T[] = [];
  let failed: { error: unknown } | null = null;
  let pumping: Promise<void> | null = null;
  let hurry = new AbortController();
  let room: (() => void)[] = [];

  const letIn = () => {
    for (const resolve of room) resolve();
    room = [];
  };

  const pump = async () => {
    try {
      // Never ends before the caller has noted that it runs.
      await Promise.resolve();
      while (queue.length > 0) {
        if (queue.length < options.maxItems) await options.clock.sleep(options.maxDelayMs, hurry.signal);
        const items = queue.slice(0, options.maxItems);
        queue = queue.slice(options.maxItems);
        await options.flush(items);
        if (queue.length <= options.maxQueued) letIn();
      }
    } catch (error) {
      failed = { error };
      queue = [];
      options.onFailure();
    } finally {
      pumping = null;
      letIn();
    }
  };

  const throwFailure = () => {
    if (failed !== null) throw failed.error;
  };

  return {
    add: async (items) => {
      throwFailure();
      queue.push(...items);
      if (queue.length >= options.maxItems) {
        hurry.abort();
        hurry = new AbortController();
      }
      pumping ??= pump();
      if (queue.length > options.maxQueued) await new Promise<void>((resolve) => room.push(resolve));
      throwFailure();
    },
    drain: async () => {
      while (pumping !== null) {
        hurry.abort();
        await pumping;
        hurry = new AbortController();
      }
      throwFailure();
    },
  };
}
