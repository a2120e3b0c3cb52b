// Runs a task's shell command. What it writes goes through this process's stdout and stderr, and so into the task's log line
// by line. It has a process group of its own, which ends with the task: nothing that it started outlives it.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { Socket } from "node:net";
import { once } from "node:events";
import { constants } from "node:os";
import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Json } from "../core/json.ts";
import type { Mask } from "../core/mask-secrets.ts";
import type { BashOperator } from "../core/operator.ts";
import { SKIP } from "../sdk/compiled.ts";
import { EXIT_CODE } from "./judge-end.ts";
import { closePair, makePipes } from "./named-pipes.ts";
import { createLineSplitter } from "./split-lines.ts";
import type { CommandSurroundings } from "./task-function.ts";

/** Of the 10 s that a task has after its AbortSignal. */
const TERM_GRACE_MS = 8_000;
/** For output that is still in the pipes; background processes would hold them open for ever. */
const DRAIN_MS = 1_000;

/**
 * Returns the last line of stdout that is not empty, masked. Throws for an exit code other than 0, and with the signal's reason.
 * @param envs variables over the operator's own, the later ones over the earlier; null or undefined for none
 */
export async function runBash(
  operator: BashOperator,
  envs: readonly unknown[],
  signal: AbortSignal,
  { environment, mask }: CommandSurroundings,
): Promise<string | null> {
  signal.throwIfAborted();
  const env = envs.reduce<NodeJS.ProcessEnv>(mergeEnv, { ...environment, ...operator.env });
  const { child, stdout, stderr } = await startShell(operator.command, env);
  const killGroup = (name: NodeJS.Signals) => signalGroup(child, name);
  const onExit = () => killGroup("SIGKILL");
  let hardKill: NodeJS.Timeout | undefined;
  const onAbort = () => {
    killGroup("SIGTERM");
    hardKill = setTimeout(() => killGroup("SIGKILL"), TERM_GRACE_MS);
  };
  process.on("exit", onExit);
  signal.addEventListener("abort", onAbort);
  const lastLine = forward(stdout, stderr, mask);
  try {
    const { code, name } = await waitForEnd(child, [stdout, stderr]);
    killGroup("SIGKILL");
    signal.throwIfAborted();
    if (code === 0) return lastLine();
    throw describeEnd(operator, code, name);
  } finally {
    clearTimeout(hardKill);
    process.off("exit", onExit);
    signal.removeEventListener("abort", onAbort);
  }
}

function mergeEnv(base: NodeJS.ProcessEnv, given: unknown): NodeJS.ProcessEnv {
  const env = { ...base };
  if (given === null || given === undefined) return env;
  if (typeof given !== "object" || Array.isArray(given)) throw new TypeError("env must be an object of variables");
  // Of an author's function they may be anything: what is no text or number is refused.
  const variables = Object.entries(given as { [name: string]: Json | undefined });
  for (const [name, value] of variables) {
    if (name === "" || name.includes("=")) throw new TypeError(`"${name}" cannot be the name of a variable`);
    if (value === null || value === undefined) delete env[name];
    else if (typeof value === "object") throw new TypeError(`env.${name} is an object, but must be text or a number`);
    else env[name] = String(value);
  }
  return env;
}

interface Shell {
  child: ChildProcess;
  stdout: Readable;
  stderr: Readable;
}

async function startShell(command: string, env: NodeJS.ProcessEnv): Promise<Shell> {
  try {
    return await startIn("bash", command, env);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    process.stderr.write("[windlass] there is no bash in this image; the command runs in sh\n");
    return startIn("sh", command, env);
  }
}

async function startIn(shell: string, command: string, env: NodeJS.ProcessEnv): Promise<Shell> {
  const pipes = tryPipes();
  const { stdout, stderr } = pipes?.writable ?? { stdout: "pipe" as const, stderr: "pipe" as const };
  const child = spawn(shell, ["-c", command], { env, detached: true, stdio: ["ignore", stdout, stderr] });
  const read = (name: "stdout" | "stderr") =>
    pipes ? new Socket({ fd: pipes.readable[name], readable: true, writable: false }) : (child[name] as Readable);
  const streams = { stdout: read("stdout"), stderr: read("stderr") };
  if (pipes) closePair(pipes.writable);
  try {
    await once(child, "spawn");
  } catch (error) {
    streams.stdout.destroy();
    streams.stderr.destroy();
    throw error;
  }
  return { child, ...streams };
}

/** null: this image or pod allows none, so that only /dev/stdout and /dev/stderr cannot be opened. */
function tryPipes(): ReturnType<typeof makePipes> | null {
  try {
    return makePipes(execFileSync);
  } catch {
    return null;
  }
}

function signalGroup({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The group is gone, which is what was wanted.
  }
}

/** Copies its output to ours, which is masked by itself; the returned function gives the last line of stdout. */
function forward(stdout: Readable, stderr: Readable, mask: Mask): () => string | null {
  let last: string | null = null;
  const masked = mask.stream();
  const splitter = createLineSplitter((line) => {
    if (line.trim() !== "") last = line;
  });
  const decoder = new StringDecoder("utf8");
  stdout.on("data", (chunk: Buffer) => {
    splitter.write(masked.write(decoder.write(chunk)));
    process.stdout.write(chunk);
  });
  stderr.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  return () => {
    splitter.write(masked.flush());
    splitter.flush();
    return last;
  };
}

async function waitForEnd(
  child: ChildProcess,
  outputs: readonly Readable[],
): Promise<{ code: number | null; name: NodeJS.Signals | null }> {
  const drained = Promise.all(outputs.map((output) => new Promise<void>((resolve) => output.once("close", resolve))));
  await new Promise((resolve) => child.once("exit", resolve));
  const limit = new AbortController();
  await Promise.race([drained, delay(DRAIN_MS, undefined, { signal: limit.signal }).catch(() => {})]);
  limit.abort();
  return { code: child.exitCode, name: child.signalCode };
}

function describeEnd(operator: BashOperator, code: number | null, name: NodeJS.Signals | null): Error {
  if (code !== null && operator.skip_on_exit_codes.includes(code)) {
    return Object.assign(new Error(`the command ended with exit code ${code}, by which it skips`), { [SKIP]: true });
  }
  const exitCode = code ?? 128 + (name === null ? 0 : constants.signals[name]);
  const how = name === null ? `ended with exit code ${exitCode}` : `was ended by ${name}`;
  const error = new Error(`the command ${how}`);
  // Its stack is of our own lines, which say nothing to the author.
  return Object.assign(error, {
    name: "CommandFailed",
    stack: `CommandFailed: ${error.message}`,
    [EXIT_CODE]: exitCode,
  });
}
