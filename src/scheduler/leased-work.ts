// Work that is claimed row by row under leases and done off the loop, many at once: each pass renews what takes longer, writes
// down what has come to an end, and claims as many as there are free places. What a killed scheduler had claimed is for
// others when its lease runs out, as is work that fails unexpectedly. A lease that passed on takes its work with it: that is
// broken off, and the store refuses what comes of it.

import type { PassResult } from "../lifecycle/loop.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

export interface LeasedWork {
  runOnce(): Promise<PassResult>;
  /** Resolves when what is under way has come to an end and is written down. */
  finish(): Promise<void>;
  /** The same, but work is told to stop, and what it then leaves is for others at once. */
  drain(): Promise<void>;
}

/** What work knows of its lease. */
export interface Hold {
  /** It is to be broken off: another has its lease, or the process ends. */
  signal: AbortSignal;
  /** Whether nobody else can have claimed it yet, told by this process's own time: it may have been paused. */
  lasts(): boolean;
}

export interface LeasedWorkOptions<Item, Done> {
  /** What is done, for the log. */
  name: string;
  /** Asked before every claim. */
  mostAtOnce: () => number;
  leaseMs: number;
  /** Names its claim. */
  keyOf: (item: Item) => string;
  claim: (limit: number, now: Date) => Promise<Item[]>;
  /** Moves the ends of leases; returns the keys of those that are this process's still. */
  extend: (items: Item[], until: Date) => Promise<string[]>;
  /** null: nothing came of it, and it is for others at once. */
  work: (item: Item, hold: Hold) => Promise<Done | null>;
  record: (done: Done[], now: Date) => Promise<unknown>;
  findNext: (now: Date) => Promise<Date | null>;
}

interface Piece<Item> {
  item: Item;
  /** Monotonic ms before its lease was last asked for. */
  heldSince: number;
  breakOff: AbortController;
}

/** @param wake asks for another pass, when a piece has come to an end */
export function createLeasedWork<Item, Done>(
  { clock, log }: Pick<SchedulerContext, "clock" | "log">,
  { name, mostAtOnce, leaseMs, keyOf, claim, extend, work, record, findNext }: LeasedWorkOptions<Item, Done>,
  wake: () => void,
): LeasedWork {
  const renewMs = leaseMs / 3;
  const underWay = new Map<string, Piece<Item>>();
  let idle = new AbortController();
  let ended: Done[] = [];
  let left: Item[] = [];

  const begin = (item: Item, heldSince: number): void => {
    const key = keyOf(item);
    // A lease that ran out while Postgres was away, and is ours again.
    const before = underWay.get(key);
    if (before) {
      before.heldSince = heldSince;
      return;
    }
    const piece: Piece<Item> = { item, heldSince, breakOff: new AbortController() };
    underWay.set(key, piece);
    const lasts = () => clock.monotonic() - piece.heldSince < leaseMs;
    work(item, { signal: piece.breakOff.signal, lasts })
      .then((result) => {
        if (result === null) left.push(item);
        else ended.push(result);
      })
      .catch((error: unknown) => {
        log.error({ err: error, item }, `${name}: a piece failed unexpectedly; it is repeated when its lease runs out`);
      })
      .finally(() => {
        underWay.delete(key);
        if (underWay.size === 0) idle.abort();
        wake();
      });
  };

  const writeDown = async (): Promise<number> => {
    const done = ended;
    ended = [];
    try {
      if (done.length > 0) await record(done, clock.now());
    } catch (error) {
      ended = [...done, ...ended];
      throw error;
    }
    const letGo = left;
    left = [];
    if (letGo.length > 0) await extend(letGo, clock.now());
    return done.length;
  };

  const renew = async (): Promise<void> => {
    const asked = clock.monotonic();
    const old = [...underWay.values()].filter(({ heldSince }) => asked - heldSince >= renewMs);
    if (old.length === 0) return;
    const items = old.map(({ item }) => item);
    const ours = new Set(await extend(items, new Date(clock.now().getTime() + leaseMs)));
    for (const piece of old) {
      const isOurs = ours.has(keyOf(piece.item));
      piece.heldSince = isOurs ? asked : Number.NEGATIVE_INFINITY;
      if (!isOurs) piece.breakOff.abort();
    }
  };

  const finish = async (): Promise<void> => {
    // No pass renews leases any more.
    while (underWay.size > 0) {
      idle = new AbortController();
      await clock.sleep(renewMs, idle.signal);
      await renew().catch((error: unknown) => log.warn({ err: error }, `${name}: leases could not be renewed`));
    }
    await writeDown().catch((error: unknown) => {
      log.warn({ err: error }, `${name}: what was done could not be recorded before the end; its leases run out`);
    });
  };

  return {
    runOnce: async () => {
      await renew();
      const recorded = await writeDown();
      const asked = clock.monotonic();
      const now = clock.now();
      const free = mostAtOnce() - underWay.size;
      const claimed = free > 0 ? await claim(free, now) : [];
      for (const item of claimed) begin(item, asked);
      const next = free > claimed.length ? untilMs(await findNext(now), now) : null;
      const dueInMs = underWay.size > 0 ? Math.min(next ?? renewMs, renewMs) : next;
      return { counts: { claimed: claimed.length, recorded }, dueInMs };
    },
    finish,
    drain: () => {
      for (const { breakOff } of underWay.values()) breakOff.abort();
      return finish();
    },
  };
}
