// An API server that answers pod lists and watches as a test's script says: for what a real one cannot be made to do at
// will. Plain HTTP, one script step per request; when the steps are used up, lists are empty and watches stay open.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Step = (response: ServerResponse, url: URL) => void;

export interface ScriptedApiServer {
  url: string;
  /** Every request so far, as "list" or "watch from RV". */
  requests: string[];
  /** Resolves when as many requests have come. */
  until(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startScriptedApiServer(script: { lists?: Step[]; watches?: Step[] }): Promise<ScriptedApiServer> {
  const lists = [...(script.lists ?? [])];
  const watches = [...(script.watches ?? [])];
  const requests: string[] = [];
  let waiters: { count: number; resolve: () => void }[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://server");
    const isWatch = url.searchParams.has("watch");
    requests.push(isWatch ? `watch from ${url.searchParams.get("resourceVersion") ?? ""}` : "list");
    const step = (isWatch ? watches : lists).shift() ?? (isWatch ? hang : list("100"));
    step(response, url);
    const ready = waiters.filter((waiter) => waiter.count <= requests.length);
    waiters = waiters.filter((waiter) => waiter.count > requests.length);
    for (const waiter of ready) waiter.resolve();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    until: (count) =>
      requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiters.push({ count, resolve })),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export function podObject(name: string, resourceVersion: string, more: { uid?: string } = {}): object {
  return {
    metadata: {
      namespace: "default",
      name,
      uid: more.uid ?? `uid-${name}`,
      resourceVersion,
      annotations: { "windlass.dev/attempt-id": `attempt-${name}`, "windlass.dev/epoch": "1" },
    },
    status: { phase: "Running" },
  };
}

export const list =
  (resourceVersion: string, items: object[] = [], continueToken?: string): Step =>
  (response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ metadata: { resourceVersion, continue: continueToken }, items }));
  };

export const answer =
  (code: number, body: object | string, headers: Record<string, string> = {}): Step =>
  (response) => {
    response.writeHead(code, headers);
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

export const status = (code: number, reason: string, more: object = {}): object => ({
  kind: "Status",
  code,
  reason,
  message: reason,
  ...more,
});

/** Lines of a watch; `then` says how it goes on. */
export const lines =
  (texts: (object | string)[], then: "open" | "end" | "reset" = "open"): Step =>
  (response) => {
    response.writeHead(200);
    const text = texts.map((each) => `${typeof each === "string" ? each : JSON.stringify(each)}\n`).join("");
    response.write(text, () => {
      if (then === "end") response.end();
      // A moment, so that the lines are out before the reset drops what is buffered.
      if (then === "reset") setTimeout(() => response.socket?.resetAndDestroy(), 20);
    });
  };

export const event = (type: string, object: object): object => ({ type, object });

const hang: Step = (response) => {
  response.writeHead(200);
  response.flushHeaders();
};
