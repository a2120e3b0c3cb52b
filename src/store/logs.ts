// The lines that tasks write, numbered within their attempt by the worker. A number is written once: a repeated batch
// changes nothing. Postgres keeps them, so that they outlive the pod.

import { cleanText } from "../core/clean-text.ts";
import { failure } from "../core/errors.ts";
import type { Queryable } from "./database.ts";

export interface NewLogLine {
  seq: number;
  timestamp: string;
  level: string;
  event: string;
}

/**
 * Errors: attempt_stale, when the attempt never started or was replaced. One that has just ended may still deliver
 * its last lines: they say why.
 */
export async function appendLogs(
  db: Queryable,
  attempt: { attempt_id: string; epoch: number },
  lines: readonly NewLogLine[],
): Promise<void> {
  const { rows } = await db.query<{ allowed: boolean }>({
    name: "append_logs",
    text: `
      with owner as (
        select a.id from attempt a join task_instance i on i.id = a.task_instance_id
        where a.id = $1 and a.epoch = $2 and i.epoch = a.epoch and a.worker_id is not null and a.log_key is null),
      written as (
        insert into task_log (attempt_id, seq, "timestamp", level, event)
        select owner.id, line.seq, line."timestamp", line.level, line.event
        from owner, unnest($3::integer[], $4::timestamptz[], $5::text[], $6::text[]) as line (seq, "timestamp", level, event)
        on conflict do nothing)
      select exists (select from owner) as allowed`,
    values: [
      attempt.attempt_id,
      attempt.epoch,
      lines.map((line) => line.seq),
      lines.map((line) => line.timestamp),
      lines.map((line) => line.level),
      // Postgres keeps no NUL in text; a task may well print one.
      lines.map((line) => cleanText(line.event)),
    ],
  });
  if (!rows[0]?.allowed) throw failure("attempt_stale", `attempt ${attempt.attempt_id} was replaced, or never started`);
}
