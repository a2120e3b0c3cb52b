// Reads what processes of the task write into its log, on the supervisor thread; it still reaches this process's own stdout and
// stderr, masked as in the log. Lines are taken the moment they are read, so that they stand in order with the task's own.

import { write } from "node:fs";
import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { Mask } from "../core/mask-secrets.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { LogLevel } from "./capture-output.ts";
import { createLineSplitter } from "./split-lines.ts";
import { LONGEST_STALL_MS, MAX_UNSHIPPED_CHARS, weighLine } from "./supervisor-link.ts";

export interface ChildOutput {
  /** @param fd the pipe's end to read from @param copy the descriptor that gets it too */
  read(fd: number, copy: number, level: LogLevel, mask: Mask): void;
  isRead(): boolean;
  /** Waits for what is still in the pipes; processes that go on in the background would hold them open for ever. */
  drain(limitMs: number): Promise<void>;
}

/** Bytes on their way to our own stdout and stderr; beyond it reading pauses, as on a full pipe. */
const MAX_UNCOPIED_BYTES = 1024 * 1024;
const PAUSE_MS = 50;
const MISSING = "[windlass] output of processes is missing here: the API did not take it in time";

export function createChildOutput(
  add: (level: LogLevel, event: string, onShipped: () => void) => void,
  clock: Clock,
): ChildOutput {
  const pipes: { ended: Promise<void>; flush: () => void }[] = [];
  let unshipped = 0;
  let uncopied = 0;
  let isDropping = false;

  const addLine = (level: LogLevel, event: string) => {
    const weight = weighLine({ event });
    unshipped += weight;
    add(level, event, () => (unshipped -= weight));
  };

  const hasRoom = () => unshipped < (isDropping ? MAX_UNSHIPPED_CHARS / 2 : MAX_UNSHIPPED_CHARS);

  const endDrop = () => {
    if (isDropping) addLine("error", MISSING);
    isDropping = false;
  };

  /** Lines are dropped rather than that a process waits for an API which takes none. */
  const waitForRoom = async (): Promise<void> => {
    let least = unshipped;
    for (let stalled = 0; uncopied > MAX_UNCOPIED_BYTES || (!isDropping && !hasRoom()); stalled += PAUSE_MS) {
      if (unshipped < least) stalled = 0;
      least = Math.min(least, unshipped);
      if (stalled >= LONGEST_STALL_MS && !hasRoom()) isDropping = true;
      await clock.sleep(PAUSE_MS);
    }
  };

  return {
    read: (fd, copy, level, mask) => {
      const decoder = new StringDecoder("utf8");
      const masked = mask.stream();
      const splitter = createLineSplitter((line) => addLine(level, line));
      const socket = new Socket({ fd, readable: true, writable: false });
      let copying = Promise.resolve();
      const copyChunk = (chunk: Buffer) => {
        uncopied += chunk.length;
        copying = copying.then(() => copyTo(copy, chunk, clock)).then(() => void (uncopied -= chunk.length));
      };
      socket.on("data", (chunk: Buffer) => {
        // Also what is dropped: a secret may begin in it.
        const shown = masked.write(decoder.write(chunk));
        if (!isDropping || hasRoom()) {
          endDrop();
          splitter.write(shown);
        } else {
          splitter.flush();
        }
        copyChunk(mask.hides ? Buffer.from(shown) : chunk);
        if (uncopied <= MAX_UNCOPIED_BYTES && (isDropping || hasRoom())) return;
        socket.pause();
        void waitForRoom().then(() => socket.resume());
      });
      const ended = new Promise<void>((resolve) => socket.once("close", () => resolve(copying)));
      // A broken pipe is closed, too.
      socket.on("error", () => {});
      const flush = () => {
        const rest = masked.flush();
        splitter.write(rest);
        splitter.flush();
        if (mask.hides) copyChunk(Buffer.from(rest));
      };
      pipes.push({ ended, flush });
    },
    isRead: () => pipes.length > 0,
    drain: async (limitMs) => {
      if (pipes.length === 0) return;
      // For lines of the task's own that wait for this turn's end.
      await new Promise((resolve) => setImmediate(resolve));
      const limit = new AbortController();
      await Promise.race([Promise.all(pipes.map(({ ended }) => ended)), clock.sleep(limitMs, limit.signal)]);
      limit.abort();
      for (const { flush } of pipes) flush();
      endDrop();
    },
  };
}

/** Whatever becomes of the copy, the lines are in the log. */
async function copyTo(fd: number, chunk: Buffer, clock: Clock): Promise<void> {
  for (let rest = chunk; rest.length > 0;) {
    const { error, count } = await new Promise<{ error: NodeJS.ErrnoException | null; count: number }>((resolve) =>
      write(fd, rest, (fault, written) => resolve({ error: fault, count: written })),
    );
    if (error && error.code !== "EAGAIN") return;
    // Full, of a reader that is slow.
    if (error) await clock.sleep(PAUSE_MS);
    else rest = rest.subarray(count);
  }
}
