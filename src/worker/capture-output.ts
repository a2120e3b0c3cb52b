// Copies what user code writes to stdout and stderr into log lines; it still reaches the real streams. Output of the
// user's own child processes that inherit the streams goes past JavaScript, and so past this.

import { StringDecoder } from "node:string_decoder";
import { createLineSplitter, type LineSplitter } from "./split-lines.ts";

export type LogLevel = "info" | "error";

type Write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => boolean;

/** Returns a function that emits the lines which have no end yet. */
export function captureOutput(emit: (level: LogLevel, line: string) => void): () => void {
  const splitters: LineSplitter[] = [];
  for (const [name, level] of [
    ["stdout", "info"],
    ["stderr", "error"],
  ] as const) {
    const real = Object.getOwnPropertyDescriptor(process, name);
    let tapped: NodeJS.WriteStream | null = null;
    // A getter, because opening a stream costs 5 ms: a task that prints nothing does not pay them.
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        if (tapped === null) {
          const stream: NodeJS.WriteStream = real?.get ? real.get.call(process) : real?.value;
          const splitter = createLineSplitter((line) => emit(level, line));
          splitters.push(splitter);
          tapped = tapStream(stream, splitter);
        }
        return tapped;
      },
    });
  }
  return () => splitters.forEach((splitter) => splitter.flush());
}

function tapStream(stream: NodeJS.WriteStream, splitter: LineSplitter): NodeJS.WriteStream {
  const decoder = new StringDecoder("utf8");
  const write: Write = stream.write.bind(stream) as Write;
  const tapped: Write = (chunk, encoding, done) => {
    if (typeof chunk === "string") {
      const bytes = typeof encoding === "string" && !/^utf-?8$/i.test(encoding) && Buffer.isEncoding(encoding);
      splitter.write(bytes ? decoder.write(Buffer.from(chunk, encoding)) : chunk);
    } else if (chunk instanceof Uint8Array) {
      splitter.write(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    }
    return write(chunk, encoding, done);
  };
  stream.write = tapped;
  // A reader that has gone away must not fail the task: the lines are shipped all the same.
  stream.on("error", () => {});
  return stream;
}
