// The worker: runs one attempt of one task and ends, in a pod or as a local child process. The installation is
// authoritative: it may refuse the start, ask for a stop, or call the attempt stale, and the worker obeys. When the
// installation is away it repeats its calls; after the heartbeat timeout it ends itself. Exit codes: WORKER_EXIT.

import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { RESULT_ENVIRONMENT, WORKER_ENVIRONMENT, WORKER_EXIT } from "../contract/worker-process.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { deliverResult, waitForEnd } from "./deliver-result.ts";
import { runAttempt } from "./run-attempt.ts";
import { say } from "./say.ts";
import { superviseAttempt } from "./supervise.ts";

if (isMainThread && process.env[RESULT_ENVIRONMENT.file]) {
  const delivery = {
    address: readSetting(RESULT_ENVIRONMENT.address),
    attemptId: readSetting(RESULT_ENVIRONMENT.attempt),
    token: readSetting(RESULT_ENVIRONMENT.token),
    file: readSetting(RESULT_ENVIRONMENT.file),
    messageFile: "/dev/termination-log",
  };
  void waitForEnd()
    .then(() => deliverResult(delivery, systemClock))
    .then((code) => process.exit(code));
} else if (isMainThread) {
  const [address, attemptId, launchToken] = [
    readSetting(WORKER_ENVIRONMENT.address),
    readSetting(WORKER_ENVIRONMENT.attempt),
    readSetting(WORKER_ENVIRONMENT.token),
  ];
  // User code and the processes that it starts do not inherit it.
  delete process.env[WORKER_ENVIRONMENT.token];
  if (!URL.canParse(address))
    misconfigured(`${WORKER_ENVIRONMENT.address} is "${address}", not an address such as http://windlass-api:8080`);
  runAttempt(
    { address, attemptId, launchToken, entry: new URL(import.meta.url), environment: process.env },
    systemClock,
  ).catch((error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(WORKER_EXIT.internal);
  });
} else if (parentPort) {
  superviseAttempt(workerData, parentPort, systemClock);
}

function readSetting(name: string): string {
  return process.env[name] || misconfigured(`${name} is not set; workers are started by an executor, not by hand`);
}

function misconfigured(detail: string): never {
  say(detail);
  return process.exit(WORKER_EXIT.misconfigured);
}
