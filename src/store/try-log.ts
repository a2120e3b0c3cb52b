// The log of one try, wherever its parts are: its attempts one after the other, each in its own order, lines in Postgres or
// already in the object store. Of an attempt that could not say how it ended, the last line is what was seen of its end.

import { createInterface } from "node:readline";
import { compose, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Bytes, ObjectStore } from "../core/object-store.ts";
import type { Queryable } from "./database.ts";
import { type ArchivedLine, listTryLogs, readLogLines, type TryLog } from "./log-archive.ts";

export interface LogRow extends ArchivedLine {
  epoch: number;
}

/** The place behind a line; the start is { epoch: 0, seq: -1 }. */
export interface LogCursor {
  epoch: number;
  seq: number;
}

export const LOG_START: LogCursor = { epoch: 0, seq: -1 };

const BATCH_LINES = 1_000;
/** Of the line that says the end: behind all that a worker numbers, and as large as a reader's token holds. */
const END_SEQ = 999_999_999;

/** Batch by batch as the reader takes them, so that a large log is never in memory as a whole. */
export async function* streamTryLog(
  db: Queryable,
  objects: ObjectStore,
  taskInstanceId: string,
  tryNumber: number,
  after: LogCursor,
): AsyncGenerator<LogRow[]> {
  for (const log of await listTryLogs(db, taskInstanceId, tryNumber, after.epoch)) {
    const seq = log.epoch === after.epoch ? after.seq : -1;
    const batches =
      log.log_key === null ? streamRows(db, log.attempt_id, seq) : streamArchive(await objects.get(log.log_key), seq);
    for await (const batch of batches) yield batch.map((line) => ({ ...line, epoch: log.epoch }));
    if (seq < END_SEQ) yield sayEnd(log);
  }
}

function sayEnd({ epoch, end_reason: reason, finished_at: timestamp, last_event: event }: TryLog): LogRow[] {
  if (reason === null || timestamp === null) return [];
  const text = event === null ? reason : `${reason}; the last event of its pod: ${event}`;
  return [{ epoch, seq: END_SEQ, timestamp, level: "error", event: text }];
}

/** At most `limit` lines. */
export async function readTryLog(
  db: Queryable,
  objects: ObjectStore,
  taskInstanceId: string,
  tryNumber: number,
  after: LogCursor,
  limit: number,
): Promise<LogRow[]> {
  const rows: LogRow[] = [];
  for await (const batch of streamTryLog(db, objects, taskInstanceId, tryNumber, after)) {
    rows.push(...batch);
    if (rows.length >= limit) break;
  }
  return rows.slice(0, limit);
}

async function* streamRows(db: Queryable, attemptId: string, after: number): AsyncGenerator<ArchivedLine[]> {
  for (let last = after; ;) {
    const rows = await readLogLines(db, attemptId, last, BATCH_LINES);
    if (rows.length > 0) yield rows;
    if (rows.length < BATCH_LINES) return;
    last = rows.at(-1)?.seq ?? last;
  }
}

/** As scheduler/archive-logs.ts wrote it. */
type StoredLine = [seq: number, timestamp: string, level: string, event: string];

export function encodeArchive(line: ArchivedLine): string {
  const stored: StoredLine = [line.seq, line.timestamp.toISOString(), line.level, line.event];
  return `${JSON.stringify(stored)}\n`;
}

async function* streamArchive(bytes: Bytes, after: number): AsyncGenerator<ArchivedLine[]> {
  const lines = createInterface({ input: compose(Readable.from(bytes), createGunzip()), crlfDelay: Infinity });
  let batch: ArchivedLine[] = [];
  for await (const text of lines) {
    const [seq, timestamp, level, event] = JSON.parse(text) as StoredLine;
    if (seq <= after) continue;
    batch.push({ seq, timestamp: new Date(timestamp), level, event });
    if (batch.length === BATCH_LINES) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
