// What a worker says with its exit code when it could not say it to the API: none of it is the task's fault.

import { WORKER_EXIT } from "../contract/worker-process.ts";
import type { KnownExits } from "../core/pod-outcome.ts";

export const WORKER_EXITS: KnownExits = new Map([
  [WORKER_EXIT.internal, { kind: "lost", reason: "The worker itself failed" }],
  [WORKER_EXIT.unreachable, { kind: "lost", reason: "The worker could not reach the API for too long and gave up" }],
  [WORKER_EXIT.stale, { kind: "lost", reason: "The API said that the attempt is no longer the current one" }],
  [WORKER_EXIT.refused, { kind: "lost", reason: "The API refused the worker" }],
  [WORKER_EXIT.misconfigured, { kind: "configuration_error", reason: "The worker's environment is not valid" }],
  [
    WORKER_EXIT.terminated,
    { kind: "deleted", reason: "The worker was ended by a signal from outside, and its task stopped" },
  ],
]);
