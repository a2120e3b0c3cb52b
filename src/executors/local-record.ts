// What the local executor writes down of each attempt in its state folder: first the intent, then the process. It lets a
// restarted executor find its children, and keeps the last words of one that died before it could ship its logs.

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export interface LocalRecord {
  attempt_id: string;
  epoch: number;
  /** null: about to be spawned, or the executor died in between. */
  pod_uid: string | null;
  spawned_at: string;
}

export interface RecordFolder {
  read(attemptId: string): LocalRecord | null;
  /** All at once or not at all. */
  write(record: LocalRecord): void;
  forget(attemptId: string): void;
  list(): string[];
  /** Opens the file that takes the child's stderr; the caller closes it. */
  openStderr(attemptId: string): number;
  /** The last lines of the child's stderr, or "". */
  readLastWords(attemptId: string): string;
  /** Cuts a stderr file that has grown large; the child appends, so it goes on at the start. */
  trimStderr(attemptId: string): void;
}

const TAIL_BYTES = 8 * 1024;
const MAX_STDERR_BYTES = 1024 * 1024;

export function openRecordFolder(folder: string): RecordFolder {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const recordPath = (attemptId: string) => join(folder, `${attemptId}.json`);
  const stderrPath = (attemptId: string) => join(folder, `${attemptId}.stderr`);
  return {
    read: (attemptId) => {
      const text = unlessMissing(() => readFileSync(recordPath(attemptId), "utf8"));
      // Written by write() below, whole or not at all.
      return text === null ? null : (JSON.parse(text) as LocalRecord);
    },
    write: (record) => {
      const path = recordPath(record.attempt_id);
      writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    },
    forget: (attemptId) => {
      rmSync(recordPath(attemptId), { force: true });
      rmSync(stderrPath(attemptId), { force: true });
    },
    list: () => readdirSync(folder).flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -".json".length)] : [])),
    openStderr: (attemptId) => openSync(stderrPath(attemptId), "a", 0o600),
    readLastWords: (attemptId) => unlessMissing(() => readTail(stderrPath(attemptId))) ?? "",
    trimStderr: (attemptId) => {
      const path = stderrPath(attemptId);
      const size = unlessMissing(() => statSync(path).size) ?? 0;
      if (size > MAX_STDERR_BYTES) truncateSync(path, 0);
    },
  };
}

function readTail(path: string): string {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString("utf8").trim();
  } finally {
    closeSync(file);
  }
}

function unlessMissing<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
