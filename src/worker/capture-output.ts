// Copies what user code writes to stdout and stderr into log lines, through the streams or, as loggers do, by the descriptors'
// numbers; it still reaches the real ones. What processes of the task's own write is read by child-output.ts.

import type fs from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { createLineSplitter } from "./split-lines.ts";

export type LogLevel = "info" | "error";

type Write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => boolean;

interface Captured {
  name: "stdout" | "stderr";
  take: (chunk: Uint8Array | string) => void;
  flush: () => void;
  /** Its stream writes, perhaps by its number: what is captured is not captured again. */
  isStreaming: boolean;
}

/** Returns a function that emits the lines which have no end yet. */
export function captureOutput(emit: (level: LogLevel, line: string) => void): () => void {
  const stdout = createCaptured("stdout", (line) => emit("info", line));
  const stderr = createCaptured("stderr", (line) => emit("error", line));
  tapLater(stdout);
  tapLater(stderr);
  tapDescriptors(process.getBuiltinModule("node:fs"), (fd) => (fd === 1 ? stdout : fd === 2 ? stderr : null));
  return () => {
    stdout.flush();
    stderr.flush();
  };
}

function createCaptured(name: Captured["name"], emit: (line: string) => void): Captured {
  const decoder = new StringDecoder("utf8");
  const splitter = createLineSplitter(emit);
  const take = (chunk: Uint8Array | string) =>
    splitter.write(
      typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
    );
  return { name, take, flush: splitter.flush, isStreaming: false };
}

/** By a getter, because opening a stream costs 5 ms: a task that prints nothing does not pay them. */
function tapLater(captured: Captured): void {
  const real = Object.getOwnPropertyDescriptor(process, captured.name);
  let tapped: NodeJS.WriteStream | null = null;
  Object.defineProperty(process, captured.name, {
    configurable: true,
    enumerable: true,
    get: () => (tapped ??= tapStream(real?.get ? real.get.call(process) : real?.value, captured)),
  });
}

function tapStream(stream: NodeJS.WriteStream, captured: Captured): NodeJS.WriteStream {
  const write: Write = stream.write.bind(stream) as Write;
  const tapped: Write = (chunk, encoding, done) => {
    if (typeof chunk === "string") {
      const isOther = typeof encoding === "string" && !/^utf-?8$/i.test(encoding) && Buffer.isEncoding(encoding);
      captured.take(isOther ? Buffer.from(chunk, encoding) : chunk);
    } else if (chunk instanceof Uint8Array) {
      captured.take(chunk);
    }
    captured.isStreaming = true;
    try {
      return write(chunk, encoding, done);
    } finally {
      captured.isStreaming = false;
    }
  };
  stream.write = tapped;
  // A reader that has gone away must not fail the task: the lines are shipped all the same.
  stream.on("error", () => {});
  return stream;
}

type AnyFunction = (...args: unknown[]) => unknown;

function tapDescriptors(module: typeof fs, find: (fd: unknown) => Captured | null): void {
  const { write, writeSync } = module as unknown as { write: AnyFunction; writeSync: AnyFunction };
  const tappedSync: AnyFunction = (fd, ...rest) => {
    const captured = find(fd);
    const isOurs = captured !== null && !captured.isStreaming;
    const written = writeSync(fd, ...rest);
    if (isOurs) captured.take(readWritten(rest, written));
    return written;
  };
  const tapped: AnyFunction = (fd, ...rest) => {
    const captured = find(fd);
    const done = rest.at(-1);
    if (captured === null || captured.isStreaming || typeof done !== "function") return write(fd, ...rest);
    return write(fd, ...rest.slice(0, -1), (error: unknown, written: unknown, data: unknown) => {
      if (!error) captured.take(readWritten(rest, written));
      done(error, written, data);
    });
  };
  // With the marks by which util.promisify knows what they call back with.
  Object.assign(module, { write: keepMarks(write, tapped), writeSync: keepMarks(writeSync, tappedSync) });
}

function keepMarks(original: AnyFunction, tapped: AnyFunction): AnyFunction {
  return Object.defineProperties(tapped, Object.getOwnPropertyDescriptors(original));
}

/** The bytes that got through. @param rest (text, position, encoding), (bytes, offset, …) or (bytes, { offset }) */
function readWritten([data, second, third]: readonly unknown[], written: unknown): Uint8Array {
  const count = typeof written === "number" ? written : 0;
  if (typeof data === "string") {
    const encoding = typeof third === "string" && Buffer.isEncoding(third) ? third : "utf8";
    return Buffer.from(data, encoding).subarray(0, count);
  }
  if (!ArrayBuffer.isView(data)) return new Uint8Array();
  const given: unknown = typeof second === "object" && second !== null ? Reflect.get(second, "offset") : second;
  const offset = typeof given === "number" ? given : 0;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).subarray(offset, offset + count);
}
