// Logs of ended attempts on their way from Postgres to the object store, and back to their readers.

import type { Database, Queryable } from "./database.ts";

export interface ArchivableLog {
  attempt_id: string;
  line_count: number;
}

/** Attempts whose log can move: cleaned up, and ended before `before`. */
export async function listArchivableLogs(db: Queryable, before: Date, limit: number): Promise<ArchivableLog[]> {
  const { rows } = await db.query<ArchivableLog>({
    name: "list_archivable_logs",
    // The index that holds just these; the count walks the primary key of each log.
    text: `
      select a.id as attempt_id, (select count(*) from task_log l where l.attempt_id = a.id) as line_count
      from (
        select id, finished_at from attempt where log_key is null and cleaned_at is not null and finished_at < $1
        order by finished_at limit $2) a
      order by a.finished_at`,
    values: [before, limit],
  });
  return rows;
}

export interface ArchivedLine {
  seq: number;
  timestamp: Date;
  level: string;
  event: string;
}

export async function readLogLines(
  db: Queryable,
  attemptId: string,
  after: number,
  limit: number,
): Promise<ArchivedLine[]> {
  const { rows } = await db.query<ArchivedLine>({
    name: "read_log_lines",
    text: `select seq, "timestamp", level, event from task_log where attempt_id = $1 and seq > $2 order by seq limit $3`,
    values: [attemptId, after, limit],
  });
  return rows;
}

// What `explain` shows of a log stays in Postgres.
const TAIL_LINES = 50;

/** False: lines came meanwhile, so that what was written is not all of it. */
export async function completeArchive(db: Database, log: ArchivableLog, key: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    // The lock lets one scheduler at a time decide; the count finds lines that came after the archive was read.
    const { rows } = await tx.query<{ lines: number; last: number | null }>({
      name: "lock_log_to_archive",
      text: `select count(l.seq) as lines, max(l.seq) as last
        from (select id from attempt where id = $1 and log_key is null for update) a
        left join task_log l on l.attempt_id = a.id group by a.id`,
      values: [log.attempt_id],
    });
    const row = rows[0];
    if (!row || row.lines !== log.line_count) return false;
    await tx.query({
      name: "set_log_key",
      text: "update attempt set log_key = $2 where id = $1",
      values: [log.attempt_id, key],
    });
    await tx.query({
      name: "delete_archived_lines",
      text: "delete from task_log where attempt_id = $1 and seq <= $2",
      values: [log.attempt_id, (row.last ?? -1) - TAIL_LINES],
    });
    return true;
  });
}

export interface TryLog {
  attempt_id: string;
  epoch: number;
  /** null: in Postgres. */
  log_key: string | null;
  /** An end that others saw and the attempt itself could not write; null: there is none, or the log has it. */
  end_reason: string | null;
  finished_at: Date | null;
  /** What the cluster said last of its pod. */
  last_event: string | null;
}

/** Where the logs of a try's attempts are, in their order. */
export async function listTryLogs(
  db: Queryable,
  taskInstanceId: string,
  tryNumber: number,
  fromEpoch: number,
): Promise<TryLog[]> {
  const { rows } = await db.query<TryLog>({
    name: "list_try_logs",
    text: `
      select a.id as attempt_id, a.epoch, nullif(a.log_key, '') as log_key, a.finished_at, a.last_event,
        case when a.outcome not in ('success', 'skipped') and a.error is null and c.done is not true
          then a.outcome_reason end as end_reason
      from attempt a left join container_log c on c.attempt_id = a.id
      where a.task_instance_id = $1 and a.try_number = $2 and a.epoch >= $3 order by a.epoch`,
    values: [taskInstanceId, tryNumber, fromEpoch],
  });
  return rows;
}
