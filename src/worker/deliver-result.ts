// The helper beside a container of the author's: waits until that container has ended, then delivers the file that it left as
// the task's result. The kubelet says so with SIGTERM, which native sidecars get once the containers proper have ended.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { messageOf } from "../core/errors.ts";
import { MAX_RESULT_BYTES, RESULT_EXIT } from "../contract/worker-process.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { createApiCaller } from "./call-api.ts";

export interface ResultDelivery {
  address: string;
  attemptId: string;
  token: string;
  file: string;
  /** Where the kubelet reads what a container says of its end. */
  messageFile: string;
}

// Below a pod's usual grace period of 30 s.
const DEADLINE_MS = 25_000;

// JSON may be indented, but this would be more than the helper has memory for.
const LARGEST_FILE = 16 * 1_048_576;

/** Resolves when the container has ended, and keeps the process alive until then. */
export function waitForEnd(): Promise<void> {
  return new Promise((resolve) => {
    const alive = setInterval(() => {}, 2 ** 31 - 1);
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        clearInterval(alive);
        resolve();
      });
    }
  });
}

/** Resolves with the exit code. */
export async function deliverResult(delivery: ResultDelivery, clock: Clock): Promise<number> {
  const read = readResult(delivery.file);
  if (read.kind === "none") return RESULT_EXIT.delivered;
  if (read.kind === "bad") return leaveMessage(delivery, read.reason, RESULT_EXIT.unusable);
  const call = createApiCaller(delivery.address, delivery.attemptId, clock);
  const answer = await call({
    method: "POST",
    action: "result",
    token: () => delivery.token,
    body: `{"result":${read.text}}`,
    deadline: clock.monotonic() + DEADLINE_MS,
  });
  if (answer.kind === "ok") return RESULT_EXIT.delivered;
  return leaveMessage(delivery, `the result could not be delivered: ${answer.detail}`, RESULT_EXIT.undelivered);
}

type ReadResult = { kind: "none" } | { kind: "bad"; reason: string } | { kind: "read"; text: string };

function readResult(file: string): ReadResult {
  let text: string;
  try {
    const stats = statSync(file);
    const { size } = stats;
    if (!stats.isFile()) return { kind: "bad", reason: `${file} is no file` };
    if (size > LARGEST_FILE) {
      return { kind: "bad", reason: `${file} holds ${size} bytes, at most ${MAX_RESULT_BYTES} of JSON are kept` };
    }
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { kind: "none" };
    return { kind: "bad", reason: `${file} cannot be read: ${messageOf(error)}` };
  }
  try {
    const compact = JSON.stringify(JSON.parse(text));
    const bytes = Buffer.byteLength(compact);
    if (bytes <= MAX_RESULT_BYTES) return { kind: "read", text: compact };
    return { kind: "bad", reason: `${file} holds ${bytes} bytes of JSON, at most ${MAX_RESULT_BYTES} are kept` };
  } catch (error) {
    return { kind: "bad", reason: `${file} is not JSON: ${messageOf(error)}` };
  }
}

function leaveMessage({ messageFile }: ResultDelivery, reason: string, exitCode: number): number {
  try {
    writeFileSync(messageFile, reason);
  } catch {
    // Without it the exit code says what kind of fault it was.
  }
  return exitCode;
}
