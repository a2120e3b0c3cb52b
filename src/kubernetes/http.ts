// HTTP to the API server, on undici. Three kinds of traffic never share a connection: unary calls go through one bounded
// pool, reads of logs through another, and every watch has a connection of its own, so that a burst of creates cannot starve
// a watch and a dead socket harms one of them. HTTP/1.1 on purpose: over HTTP/2 all would sit on a single connection. Every call has a deadline.

import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { Client, Pool } from "undici";
import type { Clock } from "../lifecycle/clock.ts";
import { createCallGate, type Lane } from "./call-gate.ts";
import type { Credentials, CredentialsSource } from "./credentials.ts";
import { startDeadline } from "./deadline.ts";
import { isKubernetesError, kubernetesError } from "./kubernetes-error.ts";
import { errorOfAnswer, parseRetryAfter } from "./status.ts";
import { errorOfTransport, type LostCall } from "./transport-error.ts";

const CONNECT_TIMEOUT_MS = 10_000;
// A proxy may hold back a watch's headers until the first event, so they have longer than a call's.
const WATCH_HEADERS_TIMEOUT_MS = 30_000;
const CALL_DEADLINE_MS = 20_000;
// Below the 90 s after which kube-apiserver closes idle connections: we close first, and no call meets a dying socket.
const IDLE_CONNECTION_MS = 30_000;
// Of the connections, for look-ups: lists and confirmations go on while creates fill the rest.
const READ_SHARE = 0.2;
// Of their own, for logs: those come from nodes, any of which may hang.
const LOG_CONNECTIONS = 8;

/** What a call was and how it went, for metrics. */
export interface RequestRecord {
  verb: string;
  resource: string;
  /** HTTP status; 0: no answer. */
  code: number;
  seconds: number;
}

export interface KubernetesHttpOptions {
  credentials: CredentialsSource;
  clock: Clock;
  /** Connections for unary calls but logs; as many are under way at most, and fewer while the server is overloaded. */
  maxConnections: number;
  onLimit?: (lane: Lane, limit: number) => void;
  onOverload?: (lane: Lane, code: number) => void;
  onRequest?: (record: RequestRecord) => void;
  /** The server's own time, from the Date header of each answer to a call; whole seconds. */
  onServerTime?: (time: Date) => void;
}

export interface KubernetesCall {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | boolean>;
  body?: unknown;
  contentType?: string;
  /** For messages and metrics: verb and resource as RBAC names them, and where. */
  verb: string;
  resource: string;
  namespace: string | null;
  /** From the call to the last byte of the answer, waiting for a connection included. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

export interface KubernetesHttp {
  /** The parsed body of a 2xx answer; anything else throws a KubernetesError. */
  call(call: KubernetesCall): Promise<unknown>;
  /** The same for answers that are not JSON; \uFFFD stands for what is no UTF-8. */
  text(call: KubernetesCall): Promise<string>;
  /** The body of a 2xx answer as it comes, on a connection of its own; `close` ends it. */
  stream(call: KubernetesCall): Promise<{ body: Readable; close: () => Promise<void> }>;
  credentials: CredentialsSource;
  /** Calls of a kind that may be under way at once, at present. */
  limit(lane: Lane): number;
  close(): Promise<void>;
}

export function createKubernetesHttp(options: KubernetesHttpOptions): KubernetesHttp {
  const { clock, credentials: source, onLimit, onOverload } = options;
  const reads = Math.max(1, Math.floor(options.maxConnections * READ_SHARE));
  const gate = (lane: Lane, max: number) =>
    createCallGate({ lane, max, clock, ...(onLimit ? { onLimit } : {}), ...(onOverload ? { onOverload } : {}) });
  const gates = {
    read: gate("read", reads),
    write: gate("write", Math.max(1, options.maxConnections - reads)),
    log: gate("log", LOG_CONNECTIONS),
  };
  let pools: { key: string; calls: Pool; logs: Pool } | null = null;
  const streams = new Set<Client>();
  let closed = false;

  /** By server and certificate: a rotated certificate gets new connections, and old calls end on theirs. */
  const poolFor = (credentials: Credentials, lane: Lane): Pool => {
    // A call that waited until now would go out on connections that nobody closes.
    if (closed) throw new Error("the connections to the API server are closed");
    const key = connectionKey(credentials);
    if (pools?.key !== key) {
      // close() waits for calls under way; there is nobody to tell if the old pools' sockets end badly.
      for (const old of [pools?.calls, pools?.logs]) void old?.close().catch(() => {});
      const make = (connections: number) =>
        new Pool(new URL(credentials.server).origin, {
          ...connectionOptions(credentials),
          connections,
          keepAliveTimeout: IDLE_CONNECTION_MS,
        });
      pools = { key, calls: make(options.maxConnections), logs: make(LOG_CONNECTIONS) };
    }
    return lane === "log" ? pools.logs : pools.calls;
  };

  const request = async (call: KubernetesCall, credentials: Credentials, via: Pool | Client, signal: AbortSignal) =>
    via.request({
      method: call.method,
      path: pathOf(credentials, call),
      headers: {
        ...credentials.headers,
        accept: "application/json",
        "user-agent": "windlass",
        ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal,
    });

  /** Repeats `send` once with renewed credentials when the first are refused. */
  const authorized = async <T>(send: (credentials: Credentials) => Promise<T>): Promise<T> => {
    const credentials = await source.current();
    try {
      return await send(credentials);
    } catch (error) {
      if (!isKubernetesError(error) || error.code !== 401) throw error;
      return await send(await source.renew(credentials));
    }
  };

  const callOnce = async (call: KubernetesCall, credentials: Credentials, signal: AbortSignal) => {
    const began = clock.monotonic();
    let code = 0;
    try {
      const answer = await request(call, credentials, poolFor(credentials, laneOf(call)), signal);
      const text = await answer.body.text();
      code = answer.statusCode;
      const date = Date.parse(headerText(answer.headers["date"]) ?? "");
      if (!Number.isNaN(date)) options.onServerTime?.(new Date(date));
      if (code < 200 || code > 299) {
        throw errorOfAnswer({
          code,
          body: text,
          retryAfterMs: parseRetryAfter(headerText(answer.headers["retry-after"]), clock.now()),
          action: actionOf(call),
          mutates: call.method !== "GET",
        });
      }
      return text;
    } finally {
      options.onRequest?.({
        verb: call.verb,
        resource: call.resource,
        code,
        seconds: (clock.monotonic() - began) / 1_000,
      });
    }
  };

  const send = async (call: KubernetesCall): Promise<string> => {
    const deadlineMs = call.deadlineMs ?? CALL_DEADLINE_MS;
    const deadline = startDeadline(clock, deadlineMs, call.signal);
    const endsBy = clock.monotonic() + deadlineMs;
    try {
      return await gates[laneOf(call)].pass({ action: actionOf(call), deadline, endsBy }, async () => {
        try {
          return await authorized((credentials) => callOnce(call, credentials, deadline.signal));
        } catch (error) {
          throw call.signal?.aborted ? error : errorOfTransport(error, lostCall(call, deadline.expired()));
        }
      });
    } finally {
      deadline.end();
    }
  };

  return {
    credentials: source,
    limit: (lane) => gates[lane].limit(),
    text: send,
    call: async (call) => parseBody(await send(call), call),
    stream: async (call) => {
      const deadline = startDeadline(clock, call.deadlineMs ?? WATCH_HEADERS_TIMEOUT_MS, call.signal);
      const began = clock.monotonic();
      let code = 0;
      try {
        return await authorized(async (credentials) => {
          const client = new Client(new URL(credentials.server).origin, {
            ...connectionOptions(credentials),
            headersTimeout: 0,
            bodyTimeout: 0,
          });
          streams.add(client);
          const close = async () => {
            if (!streams.delete(client)) return;
            await client.destroy();
          };
          try {
            const answer = await request(call, credentials, client, deadline.signal);
            code = answer.statusCode;
            if (code >= 200 && code <= 299) {
              // Closing breaks the body off; whoever reads it hears of it there.
              answer.body.on("error", () => {});
              return { body: answer.body, close };
            }
            throw errorOfAnswer({
              code,
              body: await answer.body.text(),
              retryAfterMs: parseRetryAfter(headerText(answer.headers["retry-after"]), clock.now()),
              action: actionOf(call),
              mutates: false,
            });
          } catch (error) {
            await close();
            throw error;
          }
        });
      } catch (error) {
        throw call.signal?.aborted ? error : errorOfTransport(error, lostCall(call, deadline.expired()));
      } finally {
        deadline.end();
        options.onRequest?.({
          verb: call.verb,
          resource: call.resource,
          code,
          seconds: (clock.monotonic() - began) / 1_000,
        });
      }
    },
    close: async () => {
      closed = true;
      const open = [...streams];
      streams.clear();
      await Promise.all([pools?.calls.destroy(), pools?.logs.destroy(), ...open.map((client) => client.destroy())]);
      pools = null;
    },
  };
}

function laneOf(call: KubernetesCall): Lane {
  if (call.resource === "pods/log") return "log";
  return call.method === "GET" ? "read" : "write";
}

function connectionOptions(credentials: Credentials): Client.Options {
  return {
    allowH2: false,
    connect: { ...credentials.tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 },
  };
}

function connectionKey(credentials: Credentials): string {
  return createHash("sha256")
    .update(JSON.stringify([credentials.server, credentials.tls]))
    .digest("hex");
}

function pathOf(credentials: Credentials, call: KubernetesCall): string {
  const base = new URL(credentials.server).pathname.replace(/\/+$/, "");
  const query = new URLSearchParams(Object.entries(call.query ?? {}).map(([name, value]) => [name, String(value)]));
  return query.size === 0 ? `${base}${call.path}` : `${base}${call.path}?${query.toString()}`;
}

function actionOf(call: KubernetesCall): string {
  return call.namespace === null
    ? `${call.verb} ${call.resource}`
    : `${call.verb} ${call.resource} in namespace "${call.namespace}"`;
}

function lostCall(call: KubernetesCall, expired: boolean): LostCall {
  return { action: actionOf(call), mutates: call.method !== "GET", expired };
}

function headerText(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

function parseBody(text: string, call: KubernetesCall): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw kubernetesError({
      code: 0,
      reason: "Malformed",
      message: "the answer is not JSON; is there a proxy in the way?",
      uncertain: call.method !== "GET",
      action: actionOf(call),
      cause: error,
    });
  }
}
