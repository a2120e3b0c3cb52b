// The execution API's contract without an installation behind it: a real server on a real port that validates every request
// with the contract's schemas, keeps what workers said, and misbehaves on demand. For tests of the worker and the executors.

import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { z } from "zod";
import {
  finishRequest,
  type FinishRequest,
  heartbeatRequest,
  logRequest,
  type LogLine,
  type StartAnswer,
  startRequest,
  type StartRequest,
} from "../../src/contract/execution.ts";
import { EXECUTION_PREFIX } from "../../src/contract/worker-process.ts";
import type { ConsumedEvent } from "../../src/core/asset-events.ts";
import type { JsonObject } from "../../src/core/json.ts";

export type ExecutionAction = "start" | "heartbeat" | "logs" | "finish";

/** What an attempt's worker is told, and what it said. */
export interface ServedAttempt {
  id: string;
  launchToken: string;
  starts: StartRequest[];
  heartbeats: number;
  /** As heartbeats said. */
  memoryPeaks: number[];
  /** In the order of their numbers; a repeat adds nothing. */
  lines: LogLine[];
  finishes: FinishRequest[];
  /** Answered by the next heartbeat. */
  stop: string | null;
  /** Every call is answered 409. */
  stale: boolean;
}

export interface ServedTask {
  /** The body of the task's function of (inputs, runtime), or a whole bundle when it holds module.exports. */
  run: string;
  inputs?: JsonObject;
  variables?: { [key: string]: string };
  masked?: string[];
  assetEvents?: ConsumedEvent[];
  wantsMemoryPeak?: boolean;
  executionTimeout?: number;
  heartbeatInterval?: number;
  heartbeatTimeout?: number;
}

export interface ExecutionServer extends AsyncDisposable {
  address: string;
  serve(task: ServedTask): ServedAttempt;
  /** Consulted before each call: a status to answer with in place of the usual one, "hang", or null. */
  intercept: (action: ExecutionAction, attempt: ServedAttempt) => number | "hang" | null;
  /** Requests that broke the contract; a test expects none. */
  faults: string[];
  /** Resolves once `condition` holds; it is looked at after every call. */
  until(condition: () => boolean): Promise<void>;
  /** Breaks all connections and refuses new ones until comeBack(). */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

const TASK = "t";
const DAG = "d";

export async function startExecutionServer(): Promise<ExecutionServer> {
  const attempts = new Map<string, { attempt: ServedAttempt; task: ServedTask }>();
  const changes = new EventEmitter().setMaxListeners(0);
  const faults: string[] = [];
  let app: FastifyInstance | null = null;
  let port = 0;

  const parse = <T>(schema: z.ZodType<T>, request: FastifyRequest): T => {
    const parsed = schema.safeParse(request.body);
    if (parsed.success) return parsed.data;
    faults.push(`${request.method} ${request.url}: ${parsed.error.message}`);
    throw Object.assign(new Error(parsed.error.message), { statusCode: 400 });
  };

  const handle = async (action: ExecutionAction, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const { id } = request.params as { id: string };
    const served = attempts.get(id);
    if (!served) return refuse(reply, 404, "not_found");
    const { attempt, task } = served;
    const misbehaviour = server.intercept(action, attempt);
    if (misbehaviour === "hang") return new Promise(() => {});
    if (misbehaviour !== null) return refuse(reply, misbehaviour, misbehaviour === 409 ? "attempt_stale" : "internal");
    if (attempt.stale) return refuse(reply, 409, "attempt_stale");
    const tokens = action === "start" ? [attempt.launchToken] : [tokenOf(attempt), tokenOf(attempt, 1)];
    if (!tokens.some((token) => request.headers.authorization === `Bearer ${token}`)) {
      faults.push(`${action}: wrong token`);
      return refuse(reply, 401, "unauthenticated");
    }
    switch (action) {
      case "start": {
        const start = parse(startRequest, request);
        if (attempt.starts.some((earlier) => earlier.worker_id !== start.worker_id))
          return refuse(reply, 409, "attempt_stale");
        attempt.starts.push(start);
        return answerStart(attempt, task);
      }
      case "heartbeat": {
        attempt.heartbeats += 1;
        const peak = parse(heartbeatRequest, request)?.memory_peak;
        if (peak !== undefined) attempt.memoryPeaks.push(peak);
        return { token: tokenOf(attempt), stop: attempt.stop };
      }
      case "logs":
        for (const line of parse(logRequest, request).lines) attempt.lines[line.seq] ??= line;
        return reply.code(204).send();
      case "finish":
        attempt.finishes.push(parse(finishRequest, request));
        return reply.code(204).send();
    }
  };

  const listen = async () => {
    app = fastify({ bodyLimit: 8 * 1024 * 1024, forceCloseConnections: true });
    // As a heartbeat has no body, fastify's own parser has nothing to say about it.
    const path = (action: ExecutionAction) => `${EXECUTION_PREFIX}/attempts/:id/${action}`;
    app.addHook("onResponse", async () => void changes.emit("change"));
    for (const action of ["start", "logs", "finish"] as const)
      app.post(path(action), (request, reply) => handle(action, request, reply));
    app.put(path("heartbeat"), (request, reply) => handle("heartbeat", request, reply));
    await app.listen({ host: "127.0.0.1", port });
    ({ port } = app.server.address() as AddressInfo);
  };

  const server: ExecutionServer = {
    address: "",
    faults,
    intercept: () => null,
    serve: (task) => {
      const attempt: ServedAttempt = {
        id: randomUUID(),
        launchToken: `launch-${randomUUID()}`,
        starts: [],
        heartbeats: 0,
        memoryPeaks: [],
        lines: [],
        finishes: [],
        stop: null,
        stale: false,
      };
      attempts.set(attempt.id, { attempt, task });
      return attempt;
    },
    until: async (condition) => {
      while (!condition()) await new Promise((resolve) => changes.once("change", resolve));
    },
    goAway: async () => {
      await app?.close();
      app = null;
    },
    comeBack: listen,
    [Symbol.asyncDispose]: async () => {
      await app?.close();
    },
  };
  await listen();
  server.address = `http://127.0.0.1:${port}`;
  return server;
}

/**
 * Renewed by the first heartbeat, so that a worker which keeps the old one is found out: at the second, since calls may be under
 * way with it. @param ago heartbeats
 */
function tokenOf(attempt: ServedAttempt, ago = 0): string {
  return `execution-${attempt.id}-${attempt.heartbeats > ago ? "renewed" : "first"}`;
}

function answerStart(attempt: ServedAttempt, task: ServedTask): StartAnswer {
  return {
    token: tokenOf(attempt),
    heartbeat_interval: task.heartbeatInterval ?? 5,
    heartbeat_timeout: task.heartbeatTimeout ?? 30,
    execution_timeout: task.executionTimeout ?? null,
    context: {
      dag_id: DAG,
      run_id: "r",
      run_type: "manual",
      task_id: TASK,
      map_index: -1,
      try_number: 1,
      max_tries: 2,
      logical_date: null,
      data_interval_start: null,
      data_interval_end: null,
      run_after: "2026-01-01T00:00:00.000Z",
    },
    inputs: task.inputs ?? {},
    params: { colour: "green" },
    variables: task.variables ?? {},
    connections: {},
    masked: task.masked ?? [],
    ...(task.assetEvents && { asset_events: task.assetEvents }),
    ...(task.wantsMemoryPeak && { wants_memory_peak: true as const }),
    bundle: { hash: "0".repeat(64), code: task.run.includes("module.exports") ? task.run : bundleOf(task.run) },
  };
}

function bundleOf(body: string): string {
  return `module.exports = { [Symbol.for("windlass.dag")]: { definition: { dag_id: "${DAG}", tasks: [] }, functions: { ${TASK}: async (inputs, runtime) => {${body}\n} } } };`;
}

function refuse(reply: FastifyReply, status: number, code: string): FastifyReply {
  return reply.code(status).send({ status, code, title: code, detail: `told to answer ${status}`, errors: [] });
}
