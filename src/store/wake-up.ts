// Wake-ups between processes: a transaction that makes work says so with NOTIFY, which Postgres delivers at commit.
// A wake-up may be lost (a connection breaks); loops also run periodically, so it costs time and never work.

import pg from "pg";
import { backoffDelay, CALL_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";
import type { Queryable } from "./database.ts";

/** What there is to do, each handled by one loop. */
const WAKE_TOPICS = ["runs", "advance", "queue", "launch", "stop", "clean", "defer", "callbacks", "dags"] as const;
export type WakeTopic = (typeof WAKE_TOPICS)[number];

const CHANNEL = "windlass";
const ANSWER_MS = 10_000;
const PULSE_MS = 30_000;
const CLOSE_MS = 2_000;

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
    client = new pg.Client({
      connectionString: url,
      application_name: "windlass-listen",
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
    });
    const listening = client;
    const over = new AbortController();
    const ended = new Promise<void>((resolve) => {
      listening.once("end", resolve);
      listening.on("error", (error) => {
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
    await Promise.race([ended, pulse(listening, over.signal)]).finally(() => over.abort());
  };

  /** Rejects when the server is gone without a word: a connection that only listens would never notice. */
  const pulse = async (listening: pg.Client, over: AbortSignal): Promise<void> => {
    while (!over.aborted) {
      await clock.sleep(PULSE_MS, over);
      if (!over.aborted) await listening.query("select 1");
    }
  };

  /** A server that is gone says no goodbye. */
  const close = async (): Promise<void> => {
    const closing = client;
    const late = setTimeout(() => closing?.connection.stream.destroy(), CLOSE_MS);
    await closing?.end().catch(() => {});
    clearTimeout(late);
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
      await close();
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
      await close();
      await running;
    },
  };
}
