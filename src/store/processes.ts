// The processes that are alive, by their heartbeats: for /monitor/health and for operators.

import type { Queryable } from "./database.ts";

export interface ProcessIdentity {
  id: string;
  kind: "scheduler" | "api";
  hostname: string;
}

const FORGOTTEN_AFTER_MS = 3_600_000;

export async function recordProcess(db: Queryable, process: ProcessIdentity, now: Date): Promise<void> {
  await db.query({
    name: "record_process",
    text: `insert into process (id, kind, hostname, started_at, heartbeat_at) values ($1, $2, $3, $4, $4)
      on conflict (id) do update set heartbeat_at = excluded.heartbeat_at`,
    values: [process.id, process.kind, process.hostname, now],
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
