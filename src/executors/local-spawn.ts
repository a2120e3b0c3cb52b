// Starts a worker as a child process of its own session, so that it outlives the scheduler and can be ended with all that it
// started. It gets the worker's three settings and a few neutral variables: no credential reaches user code.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { WORKER_ENVIRONMENT } from "../contract/worker-process.ts";

/** Where programs, the home and scratch space are, how text and time are shown, and whom TLS trusts. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "NODE_EXTRA_CA_CERTS"] as const;

export interface WorkerProgram {
  node: string;
  file: string;
  apiUrl: string;
  /** The executor's own environment, of which the neutral part is passed on. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** Takes over `stderr`. Rejects when the process cannot be started. */
export async function spawnWorker(
  program: WorkerProgram,
  attemptId: string,
  launchToken: string,
  stderr: number,
): Promise<ChildProcess & { pid: number }> {
  try {
    const child = spawn(program.node, [program.file], {
      detached: true,
      stdio: ["ignore", "ignore", stderr],
      env: {
        ...Object.fromEntries(
          PASSED_ON.flatMap((name) =>
            program.environment[name] === undefined ? [] : [[name, program.environment[name]]],
          ),
        ),
        [WORKER_ENVIRONMENT.address]: program.apiUrl,
        [WORKER_ENVIRONMENT.attempt]: attemptId,
        [WORKER_ENVIRONMENT.token]: launchToken,
      },
    });
    child.unref();
    const { pid } = child;
    if (pid !== undefined) return Object.assign(child, { pid });
    throw await new Promise<Error>((resolve) => child.once("error", resolve));
  } finally {
    closeSync(stderr);
  }
}
