// What a worker's process and those who start it agree on beside the messages of execution.ts. Free of zod, because the
// worker imports it and its start is counted in milliseconds.

export const EXECUTION_PREFIX = "/execution/v1";

/** Environment of a worker; nothing else is passed to it. */
export const WORKER_ENVIRONMENT = {
  /** Base address of the API, e.g. http://windlass-api:8080 */
  address: "WINDLASS_API_URL",
  attempt: "WINDLASS_ATTEMPT_ID",
  token: "WINDLASS_LAUNCH_TOKEN",
} as const;

/** Environment of the helper that delivers a container's result. Its token is good for that alone. */
export const RESULT_ENVIRONMENT = {
  address: WORKER_ENVIRONMENT.address,
  attempt: WORKER_ENVIRONMENT.attempt,
  token: "WINDLASS_RESULT_TOKEN",
  file: "WINDLASS_RESULT_FILE",
} as const;

/** How that helper ends. */
export const RESULT_EXIT = {
  /** Or there was none. */
  delivered: 0,
  /** Not JSON, too large, or not to be read: the task's fault. */
  unusable: 65,
  undelivered: 69,
} as const;

/** The largest result that is kept in Postgres, as bytes of JSON. */
export const MAX_RESULT_BYTES = 256 * 1024;

/**
 * How a worker ends. 0 says that its report was accepted, whatever the report was: the report is authoritative, and
 * an end without one is read from these, from another code that user code forced, or from a signal.
 */
export const WORKER_EXIT = {
  reported: 0,
  /** A fault in the worker itself. */
  internal: 70,
  /** No contact with the API for longer than the heartbeat timeout (or never): it gave its attempt up. */
  unreachable: 75,
  /** The attempt is no longer the current one. */
  stale: 76,
  /** The API refused its start or its report. */
  refused: 77,
  /** Its environment is not valid. */
  misconfigured: 78,
  /** SIGTERM or SIGINT came, and the task ended without a result: the end is charged to whoever sent the signal. */
  terminated: 143,
} as const;
