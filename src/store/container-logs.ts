// The logs of containers without a worker, kept piece by piece while they run. A piece and the position behind it are one
// statement, guarded by where the piece begins: of two schedulers that read the same, one keeps it.

import { cleanText } from "../core/clean-text.ts";
import type { LogPosition } from "../core/log-position.ts";
import type { AttemptHandle } from "./attempt-clean.ts";
import type { Queryable } from "./database.ts";
import type { NewLogLine } from "./logs.ts";

export interface FollowedLog {
  next_seq: number;
  position: LogPosition;
  kept_characters: number;
  quiet: number;
}

export interface DueLog extends FollowedLog, AttemptHandle {
  task_id: string;
  version_id: number;
  finished: boolean;
}

interface PositionRow {
  since: number | null;
  taken: number;
  latest: string;
}

/** Takes logs that are due; each is offered again at `again` unless its next reading is set. */
export async function claimLogs(
  db: Queryable,
  claim: { executor: string; limit: number; again: Date },
  now: Date,
): Promise<DueLog[]> {
  const { rows } = await db.query<Omit<DueLog, "position"> & PositionRow>({
    name: "claim_logs",
    // Over container_log_due.
    text: `
      with claimed as (
        update container_log set read_after = $2
        where attempt_id in (
          select l.attempt_id from container_log l join attempt a on a.id = l.attempt_id
          where l.read_after <= $1 and a.executor = $4 order by l.read_after limit $3 for update of l skip locked)
        returning *)
      select a.id as attempt_id, a.epoch, a.namespace, a.pod_name, a.pod_uid, a.outcome is not null as finished, t.task_id,
        r.version_id, c.next_seq, c.since, c.taken, c.latest::text, c.kept_characters, c.quiet
      from claimed c join attempt a on a.id = c.attempt_id join task_instance t on t.id = a.task_instance_id
        join dag_run r on r.id = t.run_id`,
    values: [now, claim.again, claim.limit, claim.executor],
  });
  return rows.map(({ since, taken, latest, ...row }) => ({
    ...row,
    position: { since, taken, latest: BigInt(latest) },
  }));
}

export async function findNextLog(db: Queryable, executor: string): Promise<Date | null> {
  const { rows } = await db.query<{ next_due: Date | null }>({
    name: "next_log",
    text: `select min(l.read_after) as next_due from container_log l join attempt a on a.id = l.attempt_id
      where l.read_after is not null and a.executor = $1`,
    values: [executor],
  });
  return rows[0]?.next_due ?? null;
}

/** Null: its container never started, or an earlier release has read it. */
export async function readFollowedLog(db: Queryable, attemptId: string): Promise<FollowedLog | null> {
  const { rows } = await db.query<Omit<FollowedLog, "position"> & PositionRow>({
    name: "read_followed_log",
    text: "select next_seq, since, taken, latest::text, kept_characters, quiet from container_log where attempt_id = $1",
    values: [attemptId],
  });
  const row = rows[0];
  if (!row) return null;
  const { since, taken, latest, ...rest } = row;
  return { ...rest, position: { since, taken, latest: BigInt(latest) } };
}

/** @param next when it is to be read again; null: when it has ended. Whether the piece was kept: if not, another was. */
export async function keepLogPiece(
  db: Queryable,
  attemptId: string,
  from: FollowedLog,
  piece: { lines: readonly Omit<NewLogLine, "seq">[]; position: LogPosition },
  next: Date | null,
): Promise<boolean> {
  const { lines, position } = piece;
  const events = lines.map((line) => cleanText(line.event));
  const { rowCount } = await db.query({
    name: "keep_log_piece",
    text: `
      with moved as (
        update container_log set next_seq = $2::integer + $3::integer, since = $4, taken = $5, latest = $6::numeric,
          kept_characters = kept_characters + $7, quiet = case when $3 = 0 then quiet + 1 else 0 end, read_after = $8
        where attempt_id = $1 and next_seq = $2 and not done
        returning attempt_id),
      written as (
        insert into task_log (attempt_id, seq, "timestamp", level, event)
        select moved.attempt_id, $2 + line.seq - 1, line."timestamp", line.level, line.event
        from moved, unnest($9::timestamptz[], $10::text[], $11::text[]) with ordinality as line ("timestamp", level, event, seq)
        on conflict do nothing)
      select from moved`,
    values: [
      attemptId,
      from.next_seq,
      lines.length,
      position.since,
      position.taken,
      String(position.latest),
      events.reduce((sum, event) => sum + event.length, 0),
      next,
      lines.map((line) => line.timestamp),
      lines.map((line) => line.level),
      events,
    ],
  });
  return rowCount > 0;
}

/** Puts a reading off; null: until the container has ended. */
export async function readLogLater(db: Queryable, attemptId: string, next: Date | null): Promise<void> {
  await db.query({
    name: "read_log_later",
    text: "update container_log set read_after = $2, quiet = quiet + 1 where attempt_id = $1 and not done",
    values: [attemptId, next],
  });
}

/** The last piece, from `seq` on. A repeat changes nothing, and neither does a reading that comes late. */
export async function keepLogEnd(
  db: Queryable,
  attemptId: string,
  seq: number,
  lines: readonly Omit<NewLogLine, "seq">[],
): Promise<void> {
  await db.query({
    name: "keep_log_end",
    text: `
      with ended as (
        insert into container_log (attempt_id, next_seq, done)
        select id, $2::integer + cardinality($3::timestamptz[]), true from attempt where id = $1
        on conflict (attempt_id) do update set done = true, read_after = null, next_seq = excluded.next_seq
          where not container_log.done
        returning attempt_id)
      insert into task_log (attempt_id, seq, "timestamp", level, event)
      select ended.attempt_id, $2 + line.seq - 1, line."timestamp", line.level, line.event
      from ended, unnest($3::timestamptz[], $4::text[], $5::text[]) with ordinality as line ("timestamp", level, event, seq)
      on conflict do nothing`,
    values: [
      attemptId,
      seq,
      lines.map((line) => line.timestamp),
      lines.map((line) => line.level),
      lines.map((line) => cleanText(line.event)),
    ],
  });
}
