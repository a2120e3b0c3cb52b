// The execution API: what a worker says to the installation and hears from it. Mounted at /execution/v1.
// A worker holds one token, bound to one attempt: first the launch token (good for `start` only), then the
// execution token that `start` and every heartbeat answer with. Any call of an attempt that is no longer the
// current one answers 409 with code `attempt_stale`, upon which the worker stops its task and itself.

import { z } from "zod";
import { type ConsumedEvent, MAX_EMITTED_EVENTS } from "../core/asset-events.ts";
import type { Connection } from "../core/connection.ts";
import { json, jsonObject } from "./definition.ts";

export { EXECUTION_PREFIX, MAX_RESULT_BYTES, WORKER_ENVIRONMENT } from "./worker-process.ts";

/** POST /attempts/{attempt_id}/start, with the launch token. Repeats by the same worker_id get the same answer. */
export const startRequest = z.strictObject({
  /** Made by the worker process at its start: tells a repeated call from a second worker. */
  worker_id: z.uuid(),
  hostname: z.string().max(253),
  pid: z.int().positive(),
});
export type StartRequest = z.infer<typeof startRequest>;

const taskContext = z.strictObject({
  dag_id: z.string(),
  run_id: z.string(),
  run_type: z.string(),
  task_id: z.string(),
  map_index: z.int(),
  try_number: z.int(),
  max_tries: z.int(),
  logical_date: z.string().nullable(),
  data_interval_start: z.string().nullable(),
  data_interval_end: z.string().nullable(),
  run_after: z.string(),
});
export type TaskContext = z.infer<typeof taskContext>;

export const connection: z.ZodType<Connection> = z.strictObject({
  conn_type: z.string(),
  host: z.string().nullable(),
  port: z.int().nullable(),
  login: z.string().nullable(),
  password: z.string().nullable(),
  schema: z.string().nullable(),
  extra: jsonObject,
});

/** An event that the run consumed. */
const consumedEvent: z.ZodType<ConsumedEvent> = z.strictObject({
  asset: z.string(),
  uri: z.string(),
  extra: jsonObject,
  timestamp: z.string(),
  source_dag_id: z.string().nullable(),
  source_run_id: z.string().nullable(),
  source_task_id: z.string().nullable(),
  source_map_index: z.int().nullable(),
});

export const startAnswer = z.strictObject({
  /** Execution token, renewed by heartbeats. */
  token: z.string(),
  /** Seconds between heartbeats. */
  heartbeat_interval: z.number().positive(),
  /** Seconds without a successful heartbeat after which the worker must stop: from then on it may be replaced. */
  heartbeat_timeout: z.number().positive(),
  /** Seconds that the task may run, or null. */
  execution_timeout: z.number().positive().nullable(),
  context: taskContext,
  inputs: jsonObject,
  params: jsonObject,
  /** What the task declares and exists, by its name. Absent, as the next: the API is of an earlier release. */
  variables: z.record(z.string(), z.string()).exactOptional(),
  connections: z.record(z.string(), connection).exactOptional(),
  /** Texts that no log and no error may show. */
  masked: z.array(z.string()).exactOptional(),
  /** Of a run that assets started; absent: none. */
  asset_events: z.array(consumedEvent).exactOptional(),
  /** The process has a container of its own: the API wants to know its memory's peak. Absent: do not send it. */
  wants_memory_peak: z.literal(true).exactOptional(),
  /** CommonJS text that exports the DAG; see dags/bundle.ts. */
  bundle: z.strictObject({ hash: z.string(), code: z.string() }),
});
export type StartAnswer = z.infer<typeof startAnswer>;

/** Bytes that the worker's container has used at most. Absent: not known, not wanted, or the worker is of an earlier release. */
const memoryPeak = { memory_peak: z.int().min(0).exactOptional() };

/** PUT /attempts/{attempt_id}/heartbeat. May be absent, and not strict: a heartbeat that is refused would end its task. */
export const heartbeatRequest = z.object(memoryPeak).nullish();

export const heartbeatAnswer = z.strictObject({
  token: z.string(),
  /** Set when the attempt has to end: the reason for the task's AbortSignal. */
  stop: z.string().nullable(),
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswer>;

/** POST /attempts/{attempt_id}/logs; lines are numbered from 0 within the attempt, so a repeat is a no-op. */
const logLine = z.strictObject({
  seq: z.int32().min(0),
  timestamp: z.iso.datetime({ offset: true }),
  level: z.enum(["info", "error"]),
  event: z.string().max(65_536),
});
export type LogLine = z.infer<typeof logLine>;
export const logRequest = z.strictObject({ lines: z.array(logLine).max(5_000) });

/** POST /attempts/{attempt_id}/result, with the result token: what a container without a worker left. Repeats are harmless. */
export const resultRequest = z.strictObject({ result: json });

const emittedEvent = z.strictObject({ asset: z.string(), extra: jsonObject });

/** POST /attempts/{attempt_id}/finish; repeats are no-ops. Stacks are raw: the server maps them to the author's file. */
export const finishRequest = z.discriminatedUnion("state", [
  z.strictObject({
    state: z.literal("success"),
    result: json,
    /** What the task emitted; absent: nothing. */
    asset_events: z.array(emittedEvent).max(MAX_EMITTED_EVENTS).exactOptional(),
    ...memoryPeak,
  }),
  z.strictObject({ state: z.literal("skipped"), reason: z.string().max(4_096), ...memoryPeak }),
  z.strictObject({
    state: z.literal("failed"),
    kind: z.enum(["task_failed", "timed_out", "cancelled"]),
    /** false: the task asked not to be retried. */
    retryable: z.boolean(),
    exit_code: z.int32().nullable(),
    error: z.strictObject({
      name: z.string().max(1_024),
      message: z.string().max(16_384),
      stack: z.string().max(65_536).nullable(),
    }),
    ...memoryPeak,
  }),
]);
export type FinishRequest = z.infer<typeof finishRequest>;
