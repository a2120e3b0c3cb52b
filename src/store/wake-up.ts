// Wake-ups between processes: a transaction that makes work says so with NOTIFY, which Postgres delivers at commit.
// A wake-up may be lost (a connection breaks); loops also run periodically, so it costs time and never work.

import pg from "pg";
import { backoffDelay, CALL_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";
import type { Queryable } from "./database.ts";

/** What there is to do, each handled by one loop. */
export const WAKE_TOPICS = ["runs", "advance", "queue", "launch", "stop", "clean", "dags"] as const;
export type WakeTopic = (typeof WAKE_TOPICS)[number];

const CHANNEL = "windlass";

export async function notifyWork(tx: Queryable, ...topics: WakeTopic[]): Promise<void> {
  await tx.query({
    name: "notify_work",
    text: `select pg_notify('${CHANNEL}', topic) from unnest($1::text[]) as topic`,
    values: [topics],
  });
}

export interface WakeListenerOptions {
  url: string;
  onWake: (topic: WakeTopic) => void;
  clock: Clock;
  log: Logger;
}

/** Listens on a connection of its own, reconnects with backoff, and wakes every loop after a gap. */
export function createWakeListener({ url, onWake, clock, log }: WakeListenerOptions): Service {
  const stopping = new AbortController();
  let client: pg.Client | null = null;
  let running: Promise<void> | null = null;

  const listen = async (): Promise<void> => {
    // keepAlive finds a peer that vanished without a word.
    client = new pg.Client({
      connectionString: url,
      application_name: "windlass-listen",
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 10_000,
    });
    const ended = new Promise<void>((resolve) => {
      client?.once("end", resolve);
      client?.on("error", (error) => {
        log.warn({ err: error }, "the wake-up connection broke");
        resolve();
      });
    });
    client.on("notification", ({ payload }) => {
      const topic = WAKE_TOPICS.find((known) => known === payload);
      if (topic) onWake(topic);
    });
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    WAKE_TOPICS.forEach(onWake);
    await ended;
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const began = clock.monotonic();
      try {
        await listen();
      } catch (error) {
        log.warn({ err: error }, "cannot listen for wake-ups");
      }
      await client?.end().catch(() => {});
      if (stopping.signal.aborted) break;
      failures = clock.monotonic() - began > 60_000 ? 1 : failures + 1;
      await clock.sleep(backoffDelay(CALL_BACKOFF, failures), stopping.signal);
    }
  };

  return {
    name: "wake-listener",
    start: async () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      await client?.end().catch(() => {});
      await running;
    },
  };
}
