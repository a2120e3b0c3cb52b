// The processes that are alive, by their heartbeats: for /monitor/health, for operators, and to know which clusters have a scheduler.

import type { ExecutorName } from "../core/executor-name.ts";
import type { Queryable } from "./database.ts";

export interface ProcessIdentity {
  id: string;
  kind: "scheduler" | "api";
  hostname: string;
  /** Of a scheduler: whose attempts it carries on. */
  executors?: readonly ExecutorName[];
}

const FORGOTTEN_AFTER_MS = 3_600_000;

export async function recordProcess(db: Queryable, process: ProcessIdentity, now: Date): Promise<void> {
  await db.query({
    name: "record_process",
    text: `insert into process (id, kind, hostname, started_at, heartbeat_at, executors) values ($1, $2, $3, $4, $4, $5)
      on conflict (id) do update set heartbeat_at = excluded.heartbeat_at`,
    values: [process.id, process.kind, process.hostname, now, process.executors ?? null],
  });
  await db.query({
    name: "forget_processes",
    text: "delete from process where heartbeat_at < $1",
    values: [new Date(now.getTime() - FORGOTTEN_AFTER_MS)],
  });
}

export async function forgetProcess(db: Queryable, id: string): Promise<void> {
  await db.query({ text: "delete from process where id = $1", values: [id] });
}

/** Executors of the schedulers that were heard of since then. */
export async function readExecutors(db: Queryable, since: Date): Promise<string[]> {
  const { rows } = await db.query<{ executor: string }>({
    name: "read_executors",
    text: "select distinct unnest(executors) as executor from process where kind = 'scheduler' and heartbeat_at > $1",
    values: [since],
  });
  return rows.map((row) => row.executor);
}
