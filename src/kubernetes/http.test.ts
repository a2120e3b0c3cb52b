import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { createKubernetesHttp, type KubernetesHttpOptions } from "./http.ts";
import { isThrottled } from "./kubernetes-error.ts";

let close: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(close.map((each) => each()));
  close = [];
});

/** A server that hands each request to `onRequest`. */
async function serve(onRequest: (response: ServerResponse) => void, more: Partial<KubernetesHttpOptions> = {}) {
  const server = createServer((request, response) => {
    request.resume();
    onRequest(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { server: address, tls: {}, headers: {} };
  const http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 10,
    ...more,
  });
  close.push(async () => {
    await http.close();
    server.closeAllConnections();
    server.close();
  });
  return http;
}
const create = { method: "POST", path: "/", verb: "create", resource: "pods", namespace: "default", body: {} } as const;
const read = { method: "GET", path: "/", verb: "get", resource: "pods", namespace: "default" } as const;
const failed = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

test("refused calls lower the limit, and what was asked to wait waits for all", async () => {
  let refusals = 8;
  const arrivals: number[] = [];
  const limits: string[] = [];
  const http = await serve(
    (response) => {
      arrivals.push(performance.now());
      if (refusals-- > 0) response.writeHead(429, { "retry-after": "1" }).end("{}");
      else response.end("{}");
    },
    { onLimit: (lane, limit) => limits.push(`${lane} ${limit}`) },
  );
  expect(limits).toEqual(["read 2", "write 8", "log 8"]);
  const first = await Promise.all(Array.from({ length: 8 }, () => failed(http.call(create))));
  expect(first.every(isThrottled)).toBe(true);
  expect(http.limit("write")).toBe(4);
  expect(http.limit("read")).toBe(2);
  const refusedAt = performance.now();
  await http.call(read);
  expect(performance.now() - refusedAt).toBeLessThan(900);
  await http.call(create);
  expect((arrivals.at(-1) ?? 0) - (arrivals[7] ?? 0)).toBeGreaterThanOrEqual(900);
});

test("never more than the limit are under way", async () => {
  let underWay = 0;
  let most = 0;
  const http = await serve((response) => {
    underWay += 1;
    most = Math.max(most, underWay);
    setImmediate(() => {
      underWay -= 1;
      response.end("{}");
    });
  });
  await Promise.all(Array.from({ length: 100 }, () => http.call(create)));
  expect(most).toBeLessThanOrEqual(8);
});

test("a call that would have to wait past its deadline is not sent, and known to have done nothing", async () => {
  let requests = 0;
  const http = await serve((response) => {
    requests += 1;
    response.writeHead(429, { "retry-after": "60" }).end("{}");
  });
  await failed(http.call(create));
  expect(await failed(http.call(create))).toMatchObject({ code: 429, uncertain: false });
  expect(requests).toBe(1);
});

test("a queued call whose deadline passes is known to have done nothing", async () => {
  let requests = 0;
  const http = await serve(() => (requests += 1), { maxConnections: 2 });
  const hanging = failed(http.call({ ...create, deadlineMs: 500 }));
  expect(await failed(http.call({ ...create, deadlineMs: 50 }))).toMatchObject({ code: 429, uncertain: false });
  expect(await hanging).toMatchObject({ code: 0, reason: "Timeout", uncertain: true });
  expect(requests).toBe(1);
});
