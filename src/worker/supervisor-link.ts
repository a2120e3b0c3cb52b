// What the main thread, which runs user code, and the supervisor thread say to each other, and the main thread's end of it.
// Cells of shared memory serve the moments when the main thread cannot take messages because user code blocks it.

import { Worker } from "node:worker_threads";
import type { FinishRequest } from "../contract/execution.ts";
import type { LogLevel } from "./capture-output.ts";
import type { OutputPair } from "./named-pipes.ts";
import type { UnnumberedLine } from "./ship-logs.ts";

/**
 * Index of the cells: the exit code plus one once the attempt is over; how many characters of log were taken, modulo 2^32; how
 * often the supervisor had read all that was written.
 */
export const CELL = { over: 0, shipped: 1, read: 2 } as const;

export interface SupervisorData {
  cells: Int32Array<SharedArrayBuffer>;
  address: string;
  attemptId: string;
}

/** Why the task's AbortSignal is aborted. */
export type AbortCause = "timeout" | "stop" | "signal" | "stale" | "unreachable";

export type ToSupervisor =
  | {
      kind: "begin";
      token: string;
      heartbeatMs: number;
      timeoutMs: number;
      executionTimeoutMs: number | null;
      /** Since the start call was sent: the installation counts silence from there. */
      silentMs: number;
      /** Texts that nothing that leaves this process may show. */
      masked: readonly string[];
      wantsMemoryPeak: boolean;
    }
  | { kind: "line"; line: UnnumberedLine }
  /** Descriptors of this process from which the output of its children is read. */
  | { kind: "child_output"; readable: OutputPair }
  /** Asks to be told when what was written before has been read. */
  | { kind: "catch_up" }
  /** The main thread has told the task to stop, so it is not blocked. */
  | { kind: "aborted" }
  /** The task's end. A null report leaves without one. */
  | { kind: "end"; report: FinishRequest | null; exitCode: number };

export type FromSupervisor =
  | { kind: "abort"; cause: AbortCause; reason: string }
  /** A heartbeat has renewed it. */
  | { kind: "token"; token: string }
  | { kind: "exit"; exitCode: number };

export interface SupervisorLink {
  send(message: ToSupervisor): void;
  sendLine(level: LogLevel, event: string): void;
  /** Says how many lines were dropped at the very end. */
  closeLines(): void;
  /** Blocks this thread until the supervisor has reported; returns the exit code. */
  waitUntilOver(): number;
  /** Blocks this thread until the supervisor has taken all lines of it and of its children so far: they stand in their order. */
  catchUp(): void;
  /** While user code runs nothing of ours keeps the process alive, so that a task which waits for nothing is noticed. */
  hold(alive: boolean): void;
}

// Lines under way to the API; beyond it writing blocks, as on a full pipe.
export const MAX_UNSHIPPED_CHARS = 8 * 1024 * 1024;
const LINE_OVERHEAD_CHARS = 64;
/** How long a write may block without any progress before lines are dropped. */
export const LONGEST_STALL_MS = 2_000;
// The supervisor's own limits are far below; only its death could exceed it.
const LONGEST_REPORT_MS = 600_000;
/** Order is not worth more. */
const LONGEST_CATCH_UP_MS = 500;

export function weighLine({ event }: Pick<UnnumberedLine, "event">): number {
  return event.length + LINE_OVERHEAD_CHARS;
}

export function startSupervisor(
  entry: URL,
  address: string,
  attemptId: string,
  handlers: { onMessage: (message: FromSupervisor) => void; onDeath: (error: unknown) => void },
): SupervisorLink {
  const cells = new Int32Array(new SharedArrayBuffer(12));
  const data: SupervisorData = { cells, address, attemptId };
  const thread = new Worker(entry, { workerData: data, execArgv: [], env: {} });
  thread.on("message", handlers.onMessage);
  thread.on("error", handlers.onDeath);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const send = (message: ToSupervisor) => thread.postMessage(message);
  return {
    send,
    ...createLineSender(cells, send),
    hold: (alive) => (alive ? thread.ref() : thread.unref()),
    catchUp: () => {
      const before = Atomics.load(cells, CELL.read);
      send({ kind: "catch_up" });
      Atomics.wait(cells, CELL.read, before, LONGEST_CATCH_UP_MS);
    },
    waitUntilOver: () => {
      Atomics.wait(cells, CELL.over, 0, LONGEST_REPORT_MS);
      return Atomics.load(cells, CELL.over) - 1;
    },
  };
}

function createLineSender(
  cells: Int32Array<SharedArrayBuffer>,
  send: (message: ToSupervisor) => void,
): Pick<SupervisorLink, "sendLine" | "closeLines"> {
  let sent = 0;
  let dropped = 0;

  const unshipped = () => (sent - Atomics.load(cells, CELL.shipped)) | 0;

  const post = (level: LogLevel, event: string) => {
    const line: UnnumberedLine = { timestamp: new Date().toISOString(), level, event };
    sent = (sent + weighLine(line)) | 0;
    send({ kind: "line", line });
  };

  const waitForRoom = (): boolean => {
    while (unshipped() > MAX_UNSHIPPED_CHARS) {
      const before = Atomics.load(cells, CELL.shipped);
      if (Atomics.wait(cells, CELL.shipped, before, LONGEST_STALL_MS) === "timed-out") return false;
    }
    return true;
  };

  const closeLines = () => {
    if (dropped === 0) return;
    post("error", `[windlass] ${dropped} log lines are missing here: the API did not take them in time`);
    dropped = 0;
  };

  const sendLine = (level: LogLevel, event: string) => {
    // Once lines are being dropped, none waits again until there is ample room: a task must not crawl at a line per stall.
    const room = dropped === 0 ? waitForRoom() : unshipped() < MAX_UNSHIPPED_CHARS / 2;
    if (!room) {
      dropped += 1;
      return;
    }
    closeLines();
    post(level, event);
  };

  return { sendLine, closeLines };
}
