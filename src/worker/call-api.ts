// Calls of the execution API by node:http alone: it costs 4 ms at start, fetch costs 20 more. A call is repeated with the one
// backoff while the API is away (no connection, 5xx, 429); what it answers otherwise is final.

import http from "node:http";
import { EXECUTION_PREFIX } from "../contract/worker-process.ts";
import { messageOf } from "../core/errors.ts";
import { backoffDelay, CALL_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";

export type CallResult =
  /** sentAt: of the clock's monotonic time, when the try that was answered was begun. */
  | { kind: "ok"; body: string; sentAt: number }
  /** 409 attempt_stale: this attempt has been replaced or has ended. */
  | { kind: "stale"; detail: string }
  | { kind: "refused"; status: number; detail: string }
  /** The deadline passed, or the signal was aborted, with the API away. */
  | { kind: "away"; detail: string };

export interface Call {
  method: "POST" | "PUT";
  action: "start" | "heartbeat" | "logs" | "finish" | "result";
  /** Read before every repeat: a heartbeat may have renewed it. */
  token: () => string;
  body: string | null;
  /** Of the clock's monotonic time; no repeat is begun after it. */
  deadline: number;
  signal?: AbortSignal;
}

export type CallApi = (call: Call) => Promise<CallResult>;

// A call that hangs this long is broken off and repeated.
const CALL_TIMEOUT_MS = 15_000;

export function createApiCaller(address: string, attemptId: string, clock: Clock): CallApi {
  const base = new URL(`${address.replace(/\/+$/, "")}${EXECUTION_PREFIX}/attempts/${attemptId}/`);
  // Loaded when it is needed: TLS costs 10 ms.
  const client = base.protocol === "https:" ? process.getBuiltinModule("node:https") : http;
  const agent = new client.Agent({ keepAlive: true });

  const callOnce = (call: Call, timeoutMs: number): Promise<{ status: number; body: string; retryAfterMs: number }> =>
    new Promise((resolve, reject) => {
      const headers: http.OutgoingHttpHeaders = { authorization: `Bearer ${call.token()}` };
      if (call.body !== null) {
        headers["content-type"] = "application/json";
        headers["content-length"] = Buffer.byteLength(call.body);
      }
      const signal = call.signal
        ? AbortSignal.any([call.signal, AbortSignal.timeout(timeoutMs)])
        : AbortSignal.timeout(timeoutMs);
      const request = client.request(
        new URL(call.action, base),
        { method: call.method, agent, headers, signal },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString("utf8"),
              retryAfterMs: (Number(response.headers["retry-after"]) || 0) * 1000,
            });
          });
        },
      );
      request.on("error", reject);
      request.end(call.body ?? undefined);
    });

  return async (call) => {
    for (let failures = 1; ; failures += 1) {
      let detail: string;
      let atLeastMs = 0;
      const sentAt = clock.monotonic();
      const left = call.deadline - sentAt;
      try {
        const answer = await callOnce(call, Math.ceil(Math.max(1, Math.min(CALL_TIMEOUT_MS, left))));
        if (answer.status < 300 && answer.status >= 200) return { kind: "ok", body: answer.body, sentAt };
        const problem = readProblem(answer.body);
        detail = problem.detail ?? `it answered ${answer.status}`;
        if (answer.status === 409 && problem.code === "attempt_stale") return { kind: "stale", detail };
        if (answer.status < 500 && answer.status !== 429) return { kind: "refused", status: answer.status, detail };
        atLeastMs = answer.retryAfterMs;
      } catch (error) {
        detail = messageOf(error);
      }
      const pause = backoffDelay(CALL_BACKOFF, failures, Math.random, atLeastMs);
      if (clock.monotonic() + pause > call.deadline) return { kind: "away", detail };
      await clock.sleep(pause, call.signal);
      if (call.signal?.aborted) return { kind: "away", detail };
    }
  };
}

/** What sits before the API (a proxy, a load balancer) may answer without our shape. */
export function readProblem(body: string): { code: string | null; detail: string | null } {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return { code: null, detail: null };
    const field = (name: string) => {
      const value: unknown = Reflect.get(parsed, name);
      return typeof value === "string" ? value : null;
    };
    return { code: field("code"), detail: field("detail") };
  } catch {
    return { code: null, detail: null };
  }
}
