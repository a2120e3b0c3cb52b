// Real worker processes for tests, started from a bundle of the sources as they are.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWorker } from "../../scripts/build-worker.ts";
import { WORKER_ENVIRONMENT } from "../../src/contract/worker-process.ts";
import type { ExecutionServer, ServedAttempt } from "./execution-server.ts";

export interface WorkerBundle extends AsyncDisposable {
  file: string;
  folder: string;
}

export async function bundleWorker(): Promise<WorkerBundle> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-worker-"));
  const file = await buildWorker(fileURLToPath(new URL("../..", import.meta.url)), folder);
  return { file, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export interface WorkerProcess {
  child: ChildProcess;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** @param wrapper a command that starts the worker in its turn */
export function startWorker(
  file: string,
  server: ExecutionServer,
  attempt: ServedAttempt,
  wrapper: string[] = [],
): WorkerProcess {
  const command = [...wrapper, process.execPath, file];
  const child = spawn(command[0] ?? process.execPath, command.slice(1), {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: "/usr/bin:/bin",
      [WORKER_ENVIRONMENT.address]: server.address,
      [WORKER_ENVIRONMENT.attempt]: attempt.id,
      [WORKER_ENVIRONMENT.token]: attempt.launchToken,
    },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  return {
    child,
    ended: once(child, "close").then(() => ({ code: child.exitCode, signal: child.signalCode, ...output })),
  };
}
