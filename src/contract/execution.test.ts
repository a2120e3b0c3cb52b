// The messages of release 0.1, which during an upgrade and after a rollback meet those of this one: its workers may speak to
// this API, and this release's workers to its API. They are never edited; a release that must break one gets /execution/v2.

import { describe, expect, it } from "vitest";
import {
  finishRequest,
  heartbeatAnswer,
  heartbeatRequest,
  logRequest,
  startAnswer,
  startRequest,
} from "./execution.ts";
import { EXECUTION_PREFIX, WORKER_ENVIRONMENT, WORKER_EXIT } from "./worker-process.ts";

const REQUESTS = [
  ["start", startRequest, { worker_id: "0f7c1f3e-6d0c-4c3e-9d3b-0a5f6b7c8d9e", hostname: "etl-load-1", pid: 1 }],
  ["heartbeat", heartbeatRequest, null],
  ["logs", logRequest, { lines: [{ seq: 0, timestamp: "2026-11-21T10:00:00.000Z", level: "info", event: "begins" }] }],
  ["finish: success", finishRequest, { state: "success", result: { rows: 3 } }],
  ["finish: no result", finishRequest, { state: "success", result: null }],
  ["finish: skipped", finishRequest, { state: "skipped", reason: "no file today" }],
  [
    "finish: failed",
    finishRequest,
    {
      state: "failed",
      kind: "task_failed",
      retryable: true,
      exit_code: null,
      error: { name: "TypeError", message: "x is not a function", stack: null },
    },
  ],
  [
    "finish: timed out",
    finishRequest,
    {
      state: "failed",
      kind: "timed_out",
      retryable: true,
      exit_code: 3,
      error: {
        name: "Timeout",
        message: "longer than 1 s",
        stack: "Timeout: longer than 1 s\n    at load (etl.ts:3:1)",
      },
    },
  ],
] as const;

const START_ANSWER = {
  token: "e30.e30.x",
  heartbeat_interval: 10,
  heartbeat_timeout: 300,
  execution_timeout: null,
  context: {
    dag_id: "etl",
    run_id: "manual__1",
    run_type: "manual",
    task_id: "load",
    map_index: -1,
    try_number: 1,
    max_tries: 0,
    logical_date: null,
    data_interval_start: null,
    data_interval_end: null,
    run_after: "2026-11-21T10:00:00.000Z",
  },
  inputs: { rows: 3 },
  params: {},
  bundle: { hash: "ab", code: "exports.x = 1" },
};
const HEARTBEAT_ANSWER = { token: "e30.e30.x", stop: null };

describe("a worker of release 0.1", () => {
  it.each(REQUESTS)("is understood: %s", (_name, schema, body) => {
    expect(schema.safeParse(body).error).toBeUndefined();
  });

  it("finds in every answer what it reads", () => {
    const required = (shape: Record<string, { safeParse(value: unknown): { success: boolean } }>) =>
      Object.keys(shape).filter((key) => !shape[key]?.safeParse(undefined).success);
    expect(required(startAnswer.shape)).toEqual(expect.arrayContaining(Object.keys(START_ANSWER)));
    expect(required(startAnswer.shape.context.shape)).toEqual(
      expect.arrayContaining(Object.keys(START_ANSWER.context)),
    );
    expect(required(startAnswer.shape.bundle.shape)).toEqual(expect.arrayContaining(["hash", "code"]));
    expect(required(heartbeatAnswer.shape)).toEqual(expect.arrayContaining(Object.keys(HEARTBEAT_ANSWER)));
  });

  it("is told the same by its environment and address, and ends with codes that mean the same", () => {
    expect(EXECUTION_PREFIX).toBe("/execution/v1");
    expect(WORKER_ENVIRONMENT).toMatchObject({
      address: "WINDLASS_API_URL",
      attempt: "WINDLASS_ATTEMPT_ID",
      token: "WINDLASS_LAUNCH_TOKEN",
    });
    expect(WORKER_EXIT).toMatchObject({
      reported: 0,
      internal: 70,
      unreachable: 75,
      stale: 76,
      refused: 77,
      misconfigured: 78,
      terminated: 143,
    });
  });
});

describe("an API of release 0.1", () => {
  it("is understood by this release's worker", () => {
    expect(startAnswer.safeParse(START_ANSWER).error).toBeUndefined();
    expect(heartbeatAnswer.safeParse(HEARTBEAT_ANSWER).error).toBeUndefined();
  });
});
