// Work that is claimed row by row under leases and done off the loop, many at once: each pass writes down what has come to
// an end and claims as many as there are free places. Work that fails unexpectedly is repeated when its lease runs out.

import type { PassResult } from "../lifecycle/loop.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

export interface LeasedWork {
  runOnce(): Promise<PassResult>;
  /** Resolves when what is under way has come to an end and is written down. */
  finish(): Promise<void>;
  /** The same, but work is told to stop, and what it then leaves is for others. */
  drain(): Promise<void>;
}

export interface LeasedWorkOptions<Item, Done> {
  /** What is done, for the log. */
  name: string;
  mostAtOnce: number;
  claim: (limit: number, now: Date) => Promise<Item[]>;
  /** null: nothing came of it. */
  work: (item: Item, signal: AbortSignal) => Promise<Done | null>;
  record: (done: Done[], now: Date) => Promise<unknown>;
  findNext: (now: Date) => Promise<Date | null>;
}

/** @param wake asks for another pass, when a piece has come to an end */
export function createLeasedWork<Item, Done>(
  { clock, log }: Pick<SchedulerContext, "clock" | "log">,
  { name, mostAtOnce, claim, work, record, findNext }: LeasedWorkOptions<Item, Done>,
  wake: () => void,
): LeasedWork {
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let ended: Done[] = [];

  const begin = (item: Item): void => {
    const working = work(item, stopping.signal)
      .then((result) => {
        if (result !== null) ended.push(result);
      })
      .catch((error: unknown) => {
        log.error({ err: error, item }, `${name}: a piece failed unexpectedly; it is repeated when its lease runs out`);
      })
      .finally(() => {
        underWay.delete(working);
        wake();
      });
    underWay.add(working);
  };

  const writeDown = async (): Promise<number> => {
    const done = ended;
    ended = [];
    if (done.length === 0) return 0;
    try {
      await record(done, clock.now());
      return done.length;
    } catch (error) {
      ended = [...done, ...ended];
      throw error;
    }
  };

  const finish = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
    await writeDown();
  };

  return {
    runOnce: async () => {
      const recorded = await writeDown();
      const now = clock.now();
      const free = mostAtOnce - underWay.size;
      const claimed = free > 0 ? await claim(free, now) : [];
      claimed.forEach(begin);
      const next = free > claimed.length ? await findNext(now) : null;
      return { counts: { claimed: claimed.length, recorded }, dueInMs: untilMs(next, now) };
    },
    finish,
    drain: () => {
      stopping.abort();
      return finish();
    },
  };
}
