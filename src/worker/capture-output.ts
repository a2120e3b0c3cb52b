// Copies what user code writes to stdout and stderr into log lines, through the streams or, as loggers do, by the descriptors'
// numbers; it still reaches the real ones, masked as the lines are: what a pod wrote is read by clusters and by whoever explains
// its end. What processes of the task's own write is read by child-output.ts.

import type fs from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type { Mask } from "../core/mask-secrets.ts";
import { createLineSplitter } from "./split-lines.ts";

export type LogLevel = "info" | "error";

type Write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => boolean;

interface Captured {
  name: "stdout" | "stderr";
  /** Returns what of it may be shown now. */
  take: (chunk: Uint8Array | string) => string;
  /** The rest of it. */
  flush: () => string;
  /** false: the real one gets what was written byte for byte. */
  isMasked: boolean;
  /** Of its stream, once that has been opened. */
  write: Write | null;
  /** Its stream writes, perhaps by its number: what is captured is not captured again. */
  isStreaming: boolean;
}

/** Returns a function that emits the lines which have no end yet. */
export function captureOutput(emit: (level: LogLevel, line: string) => void, mask: Mask): () => void {
  const stdout = createCaptured("stdout", mask, (line) => emit("info", line));
  const stderr = createCaptured("stderr", mask, (line) => emit("error", line));
  tapLater(stdout);
  tapLater(stderr);
  tapDescriptors(process.getBuiltinModule("node:fs"), (fd) => (fd === 1 ? stdout : fd === 2 ? stderr : null));
  return () => {
    for (const captured of [stdout, stderr]) {
      const rest = captured.flush();
      if (captured.isMasked && rest !== "") writeThrough(captured, rest);
    }
  };
}

function createCaptured(name: Captured["name"], mask: Mask, emit: (line: string) => void): Captured {
  const decoder = new StringDecoder("utf8");
  const masked = mask.stream();
  const splitter = createLineSplitter(emit);
  const take = (chunk: Uint8Array | string) => {
    const text =
      typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const shown = masked.write(text);
    splitter.write(shown);
    return shown;
  };
  const flush = () => {
    const shown = masked.flush();
    splitter.write(shown);
    splitter.flush();
    return shown;
  };
  return { name, take, flush, isMasked: mask.hides, write: null, isStreaming: false };
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
  captured.write = stream.write.bind(stream) as Write;
  const tapped: Write = (chunk, encoding, done) => {
    // Nothing else can be written; the stream says so.
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array))
      return writeThrough(captured, chunk, encoding, done);
    const isOther = typeof encoding === "string" && !/^utf-?8$/i.test(encoding) && Buffer.isEncoding(encoding);
    const shown = captured.take(typeof chunk === "string" && isOther ? Buffer.from(chunk, encoding) : chunk);
    if (!captured.isMasked) return writeThrough(captured, chunk, encoding, done);
    return writeThrough(captured, shown, "utf8", typeof encoding === "function" ? encoding : done);
  };
  stream.write = tapped;
  // A reader that has gone away must not fail the task: the lines are shipped all the same.
  stream.on("error", () => {});
  return stream;
}

function writeThrough(captured: Captured, ...[chunk, encoding, done]: Parameters<Write>): boolean {
  captured.isStreaming = true;
  try {
    return captured.write?.(chunk, encoding, done) ?? true;
  } finally {
    captured.isStreaming = false;
  }
}

type AnyFunction = (...args: unknown[]) => unknown;

function tapDescriptors(module: typeof fs, find: (fd: unknown) => Captured | null): void {
  const { write, writeSync } = module as unknown as { write: AnyFunction; writeSync: AnyFunction };
  const tappedSync: AnyFunction = (fd, ...rest) => {
    const captured = find(fd);
    if (captured === null || captured.isStreaming) return writeSync(fd, ...rest);
    const asked = readAsked(rest);
    if (captured.isMasked) return writeMasked(captured, asked);
    const written = writeSync(fd, ...rest);
    captured.take(asked.subarray(0, Number(written)));
    return written;
  };
  const tapped: AnyFunction = (fd, ...rest) => {
    const captured = find(fd);
    const done = rest.at(-1);
    if (captured === null || captured.isStreaming || typeof done !== "function") return write(fd, ...rest);
    const asked = readAsked(rest);
    if (captured.isMasked) return void writeMasked(captured, asked, () => done(null, asked.length, rest[0]));
    return write(fd, ...rest.slice(0, -1), (error: unknown, written: unknown, data: unknown) => {
      if (!error) captured.take(asked.subarray(0, Number(written)));
      done(error, written, data);
    });
  };
  // With the marks by which util.promisify knows what they call back with.
  Object.assign(module, { write: keepMarks(write, tapped), writeSync: keepMarks(writeSync, tappedSync) });
}

function keepMarks(original: AnyFunction, tapped: AnyFunction): AnyFunction {
  return Object.defineProperties(tapped, Object.getOwnPropertyDescriptors(original));
}

/** Through the stream, which takes all of it: what is masked has another length, so that a part could not be asked for again. */
function writeMasked({ name }: Captured, bytes: Uint8Array, done?: () => void): number {
  process[name].write(bytes, done);
  return bytes.length;
}

/** The bytes to be written. @param rest (text, position, encoding), (bytes, offset, length, …) or (bytes, { offset, length }) */
function readAsked([data, second, third]: readonly unknown[]): Uint8Array {
  if (typeof data === "string")
    return Buffer.from(data, typeof third === "string" && Buffer.isEncoding(third) ? third : "utf8");
  if (!ArrayBuffer.isView(data)) return new Uint8Array();
  const isNamed = typeof second === "object" && second !== null;
  const [offset, length]: unknown[] = isNamed
    ? [Reflect.get(second, "offset"), Reflect.get(second, "length")]
    : [second, third];
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const from = typeof offset === "number" ? offset : 0;
  return bytes.subarray(from, typeof length === "number" ? from + length : bytes.length);
}
