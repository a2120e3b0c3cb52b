// Files over the execution API: one call each, repeated with the one backoff while the API is away.

import http from "node:http";
import { EXECUTION_PREFIX } from "../contract/worker-process.ts";
import type { Artifact } from "../core/artifact.ts";
import { messageOf } from "../core/errors.ts";
import { backoffDelay, CALL_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { ArtifactTransport } from "./artifacts.ts";
import { readProblem } from "./call-api.ts";

const PATIENCE_MS = 300_000;
/** Without a byte in either direction. */
const SILENCE_MS = 60_000;

export interface ArtifactCallOptions {
  address: string;
  attemptId: string;
  /** Read before every repeat: a heartbeat may have renewed it. */
  token: () => string;
  signal: AbortSignal;
  clock: Clock;
}

export function createArtifactCalls({
  address,
  attemptId,
  token,
  signal,
  clock,
}: ArtifactCallOptions): ArtifactTransport {
  const base = new URL(`${address.replace(/\/+$/, "")}${EXECUTION_PREFIX}/attempts/${attemptId}/artifacts/`);
  const client = base.protocol === "https:" ? process.getBuiltinModule("node:https") : http;

  const callOnce = (
    method: "GET" | "PUT",
    url: URL,
    headers: http.OutgoingHttpHeaders,
    body: AsyncIterable<Uint8Array> | null,
  ): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const request = client.request(
        url,
        { method, headers: { authorization: `Bearer ${token()}`, ...headers }, signal, timeout: SILENCE_MS },
        resolve,
      );
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Error(`no byte moved for ${SILENCE_MS / 1000} s`)));
      if (body === null) request.end();
      else process.getBuiltinModule("node:stream/promises").pipeline(body, request).catch(reject);
    });

  const call = async (
    method: "GET" | "PUT",
    makeUrl: () => URL,
    headers: http.OutgoingHttpHeaders,
    open: () => AsyncIterable<Uint8Array> | null,
  ): Promise<http.IncomingMessage> => {
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (let failures = 1; ; failures += 1) {
      let detail: string;
      try {
        const response = await callOnce(method, makeUrl(), headers, open());
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) return response;
        const problem = readProblem(await readText(response));
        detail = problem.detail ?? `the API answered ${status}`;
        if (status < 500 && status !== 429) throw Object.assign(new Error(detail), { name: "ArtifactError", status });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof Error && error.name === "ArtifactError") throw error;
        detail = messageOf(error);
      }
      const pause = backoffDelay(CALL_BACKOFF, failures, Math.random);
      if (clock.monotonic() + pause > deadline) {
        throw new Error(`the artifact could not be ${method === "PUT" ? "stored" : "read"}: ${detail}`);
      }
      await clock.sleep(pause, signal);
    }
  };

  return {
    upload: async ({ name, media_type, size }, open) => {
      const query = new URLSearchParams({ name, media_type });
      const headers = { "content-type": "application/octet-stream", "content-length": size };
      // A new id for each repeat: the API may still be at work on the last one.
      const makeUrl = () =>
        new URL(`${process.getBuiltinModule("node:crypto").randomUUID()}?${query.toString()}`, base);
      const response = await call("PUT", makeUrl, headers, open);
      // The API is ours and as new as the worker that it starts.
      return JSON.parse(await readText(response)) as Artifact;
    },
    download: (artifactId) =>
      call(
        "GET",
        () => new URL(encodeURIComponent(artifactId), base),
        {},
        () => null,
      ),
  };
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
