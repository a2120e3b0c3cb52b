// Moves logs of ended attempts to the object store, where it is not Postgres itself, and deletes objects that no row refers
// to any more. Any number of schedulers may do it at once: an archive is written as a whole, and writing it twice gives the same.

import { compose, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { messageOf } from "../core/errors.ts";
import type { ObjectStore } from "../core/object-store.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { forgetGarbage, listGarbage } from "../store/artifacts.ts";
import type { Queryable } from "../store/database.ts";
import { type ArchivableLog, completeArchive, listArchivableLogs, readLogLines } from "../store/log-archive.ts";
import { encodeArchive } from "../store/try-log.ts";
import type { SchedulerContext } from "./activity.ts";

/** From an attempt's end: its last lines may come after its report. */
const SETTLE_MS = 60_000;
const BATCH = 100;
const LINES = 1_000;

export async function archiveLogs(
  { db, clock, log }: Pick<SchedulerContext, "db" | "clock" | "log">,
  objects: ObjectStore,
  signal: AbortSignal,
): Promise<PassResult> {
  const counts = { archived: 0, deleted: 0 };
  if (objects.takesLogs) {
    const before = new Date(clock.now().getTime() - SETTLE_MS);
    for (const found of await listArchivableLogs(db, before, BATCH)) {
      if (signal.aborted) break;
      try {
        if (await archiveLog(db, objects, found)) counts.archived += 1;
      } catch (error) {
        log.warn({ err: error, attempt_id: found.attempt_id }, `a log stays in Postgres: ${messageOf(error)}`);
        break;
      }
    }
  }
  const keys = await listGarbage(db, clock.now(), BATCH);
  if (keys.length > 0) {
    await objects.delete(keys);
    await forgetGarbage(db, keys);
    counts.deleted = keys.length;
  }
  return { counts, more: counts.archived === BATCH || keys.length === BATCH };
}

async function archiveLog(db: SchedulerContext["db"], objects: ObjectStore, log: ArchivableLog): Promise<boolean> {
  if (log.line_count === 0) return completeArchive(db, log, "");
  const key = `logs/${log.attempt_id}`;
  await objects.put(key, compose(Readable.from(streamEncoded(db, log.attempt_id)), createGzip()));
  return completeArchive(db, log, key);
}

async function* streamEncoded(db: Queryable, attemptId: string): AsyncGenerator<string> {
  for (let last = -1; ;) {
    const rows = await readLogLines(db, attemptId, last, LINES);
    if (rows.length > 0) yield rows.map(encodeArchive).join("");
    if (rows.length < LINES) return;
    last = rows.at(-1)?.seq ?? last;
  }
}
