// Starts the sealed child and holds it to its limits. The child has no environment, no files, no children, no workers, and a
// network only to call an author's function; whatever it does, it is gone when this returns.

import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { failure, messageOf } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { readChildProgram } from "./child-program.ts";
import type { SealedMode, TimetableQuestion } from "./evaluation-answer.ts";

export interface EvaluationLimits {
  timeMs: number;
  /** Heap and buffers together, beyond what a bare Node takes. */
  memoryBytes: number;
  outputBytes: number;
}

export const DEFAULT_LIMITS: EvaluationLimits = {
  timeMs: 10_000,
  memoryBytes: 256 * 2 ** 20,
  outputBytes: 16 * 2 ** 20,
};

export type SealedEnd =
  | { kind: "answered"; text: string }
  | { kind: "timed_out" }
  | { kind: "out_of_memory" }
  | { kind: "output_too_large" }
  | { kind: "died"; reason: string };

const MEBIBYTE = 2 ** 20;
/** Resident memory of a bare Node 26 (50 MiB), with room for the code of the bundle. */
const BASE_BYTES = 96 * MEBIBYTE;
const MEMORY_POLL_MS = 20;
/** After SIGINT, before SIGKILL. */
const INTERRUPT_GRACE_MS = 500;
const STDERR_TAIL = 4_096;

/** Errors: unavailable when no process can be started. */
export async function runSealed(
  mode: SealedMode,
  code: string,
  limits: EvaluationLimits,
  clock: Clock,
  signal?: AbortSignal,
  question?: TimetableQuestion,
): Promise<SealedEnd> {
  const program = await readChildProgram(mode === "call" ? "call-child.ts" : "evaluate-child.ts");
  const asked = question ? [JSON.stringify(question)] : [];
  const child = spawn(process.execPath, [...flags(mode, limits), "--eval", program, "--", mode, ...asked], {
    cwd: "/",
    env: {},
    stdio: ["pipe", "ignore", "pipe", "pipe"],
  });
  const exit = waitForExit(child);
  // A child that was not started may have no streams.
  if (child.pid === undefined) return { kind: "died", reason: await exit };
  const ended = new AbortController();
  let verdict: SealedEnd | null = null;
  const end = (why: SealedEnd) => {
    verdict ??= why;
    child.kill("SIGKILL");
  };
  const stop = (why: SealedEnd) => {
    if (mode !== "locate") return end(why);
    // To locate, the child is asked first: it answers with the line it was at.
    child.kill("SIGINT");
    void clock.sleep(INTERRUPT_GRACE_MS, ended.signal).then(() => {
      if (!ended.signal.aborted) end(why);
    });
  };

  const onAbort = () => end({ kind: "died", reason: "it was stopped" });
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  const answer = collect(child.stdio[3] as Readable, limits.outputBytes, () => end({ kind: "output_too_large" }));
  const complaint = keepTail(child.stderr as Readable);
  // A child that dies early does not read to the end; what it died of is told by its exit.
  child.stdin?.on("error", () => {});
  child.stdin?.end(code);
  const watching = Promise.all([
    clock.sleep(limits.timeMs, ended.signal).then(() => {
      if (!ended.signal.aborted) stop({ kind: "timed_out" });
    }),
    watchMemory(child, limits.memoryBytes + BASE_BYTES, clock, ended.signal, () => stop({ kind: "out_of_memory" })),
  ]);
  const died = await exit.finally(() => {
    ended.abort();
    signal?.removeEventListener("abort", onAbort);
  });
  await watching;
  if (verdict) return verdict;
  const text = answer();
  if (text !== "") return { kind: "answered", text };
  if (complaint().includes("heap out of memory")) return { kind: "out_of_memory" };
  return { kind: "died", reason: died };
}

function flags(mode: SealedMode, limits: EvaluationLimits): string[] {
  // While locating, memory ends by the watch below and not by V8, which would end the process without an answer.
  const heapBytes = mode === "locate" ? limits.memoryBytes * 4 : limits.memoryBytes;
  return [
    "--permission",
    ...(mode === "call" ? ["--allow-net"] : []),
    "--no-experimental-sqlite",
    "--disable-sigusr1",
    "--no-warnings",
    "--input-type=commonjs",
    `--max-old-space-size=${Math.max(16, Math.ceil(heapBytes / MEBIBYTE))}`,
  ];
}

function waitForExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    // The machine's fault and not the file's: whoever asked tries again.
    child.on("error", (cause) => {
      // Node puts the arguments here, and with them the whole program into the log.
      Reflect.deleteProperty(cause, "spawnargs");
      reject(
        failure("unavailable", `a process to read DAG files could not be started: ${messageOf(cause)}`, { cause }),
      );
    });
    // "close" and not "exit": by then all that it has said is here.
    child.once("close", (exitCode, signal) => resolve(signal ? `ended by ${signal}` : `exited with code ${exitCode}`));
  });
}

function collect(stream: Readable, limit: number, onTooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) return onTooMuch();
    chunks.push(chunk);
  });
  stream.on("error", () => {});
  return () => Buffer.concat(chunks).toString("utf8");
}

function keepTail(stream: Readable): () => string {
  let tail = "";
  stream.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("latin1")).slice(-STDERR_TAIL);
  });
  stream.on("error", () => {});
  return () => tail;
}

/** V8's limit does not cover buffers, so the whole process is measured. Where there is no /proc, V8's limit stands alone. */
async function watchMemory(
  child: ChildProcess,
  limit: number,
  clock: Clock,
  ended: AbortSignal,
  onTooMuch: () => void,
): Promise<void> {
  while (!ended.aborted) {
    const resident = await readResidentBytes(child.pid);
    if (resident === null) return;
    if (resident > limit) return onTooMuch();
    await clock.sleep(MEMORY_POLL_MS, ended);
  }
}

async function readResidentBytes(pid: number | undefined): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => null);
  const kibibytes = status === null ? undefined : /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}
