import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LOG_BEGINNING, type LogPosition } from "../core/log-position.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { followPodLog } from "./follow-log.ts";
import { createKubernetesHttp, type KubernetesHttp } from "./http.ts";

/** What the kubelet has of the log, and how it answers: whole lines that are not before sinceTime, cut at limitBytes. */
let file: string[];
let unfinished: string;
let http: KubernetesHttp;
let close: () => void;
let requests: URL[];
/** After how many bytes the next answers end, as if that were all: a broken copy between node and server looks so. */
let cuts: number[];

beforeEach(async () => {
  file = [];
  unfinished = "";
  requests = [];
  cuts = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://server");
    requests.push(url);
    const since = Date.parse(url.searchParams.get("sinceTime") ?? "1970-01-01T00:00:00Z");
    const lines = file.filter((line) => Date.parse(line.split(" ", 1)[0] ?? "") >= since).map((line) => `${line}\n`);
    const bytes = Buffer.from(lines.join("") + unfinished);
    response.end(bytes.subarray(0, Math.min(Number(url.searchParams.get("limitBytes")), cuts.shift() ?? Infinity)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { server: address, tls: {}, headers: {} };
  http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 5,
  });
  close = () => server.close();
});
afterEach(async () => {
  await http.close();
  close();
});

const at = (second: number, text: string, nanos = "000000001") =>
  `2026-01-01T00:00:${String(second).padStart(2, "0")}.${nanos}Z ${text}`;
async function follow(from: LogPosition, ended = false) {
  const { signal } = new AbortController();
  const part = await followPodLog({ http, namespace: "etl", pod: "p", container: "base", from, ended, signal });
  return { ...part, events: part.lines.map((line) => line.event) };
}

test("each piece goes on where the last one ended, over one connection", async () => {
  file = [at(1, "a"), at(1, "b"), at(2, "")];
  const first = await follow(LOG_BEGINNING);
  expect(first).toMatchObject({ events: ["a", "b", ""], more: false });
  expect(first.lines[0]?.timestamp).toBe("2026-01-01T00:00:01.000000001Z");
  expect((await follow(first.position)).events).toEqual([]);
  file.push(at(2, "c"), at(9, "d\r"));
  const second = await follow(first.position);
  expect(second.events).toEqual(["c", "d"]);
  expect((await follow(second.position)).events).toEqual([]);
  expect(requests.map((url) => url.searchParams.get("sinceTime"))).toEqual([
    null,
    "2026-01-01T00:00:01.000Z",
    "2026-01-01T00:00:01.000Z",
    "2026-01-01T00:00:08.000Z",
  ]);
});

test("an answer that ends early brings nothing twice, and the rest with the next", async () => {
  file = [at(1, "a"), at(1, "b"), at(1, "c")];
  const { position } = await follow(LOG_BEGINNING);
  file.push(at(1, "d"));
  cuts = [at(1, "a").length + 5];
  const cut = await follow(position);
  expect(cut.events).toEqual([]);
  expect((await follow(cut.position)).events).toEqual(["d"]);
});

test("of a container that has ended, answers are asked for until one comes twice", async () => {
  file = [at(1, "a"), at(1, "bbb"), at(1, "c")];
  cuts = [at(1, "a").length + 5, at(1, "a").length + at(1, "b").length];
  const end = await follow(LOG_BEGINNING, true);
  expect(end.events).toEqual(["a", "bbb", "c"]);
  expect(requests).toHaveLength(4);
  expect((await follow(end.position, true)).events).toEqual([]);
  expect(requests).toHaveLength(6);
});

test("an answer that ends early after a whole one is not taken for the log's end", async () => {
  file = [at(1, "a"), at(1, "b")];
  cuts = [Infinity, 3];
  expect((await follow(LOG_BEGINNING, true)).events).toEqual(["a", "b"]);
  expect(requests).toHaveLength(3);
});

test("a line that is being written waits for its end, which the container's end is too", async () => {
  file = [at(1, "a")];
  unfinished = at(1, "half");
  const first = await follow(LOG_BEGINNING);
  expect(first.events).toEqual(["a"]);
  expect((await follow(first.position, true)).events).toEqual(["half"]);
});

test("a log that was rotated goes on with its new file", async () => {
  file = [at(1, "a"), at(1, "b"), at(2, "c")];
  const { position } = await follow(LOG_BEGINNING);
  file = [at(2, "d", "5")];
  const next = await follow(position);
  expect(next.events).toEqual(["d"]);
  expect((await follow(next.position)).events).toEqual([]);
});

test("the kubelet's own messages are no part of the log", async () => {
  file = [at(1, "a")];
  unfinished = "unable to retrieve container logs for containerd://1\n";
  expect((await follow(LOG_BEGINNING)).events).toEqual(["a"]);
});

test("a large log comes in pieces, each line once, also when more than a piece was written in one second", async () => {
  const text = "x".repeat(1_000);
  file = Array.from({ length: 5_000 }, (_, index) => at(index < 4_000 ? 1 : 2, `${index} ${text}`));
  const got: string[] = [];
  let position = LOG_BEGINNING;
  for (let pieces = 1; ; pieces += 1) {
    const part = await follow(position);
    got.push(...part.events.map((event) => event.split(" ", 1)[0] ?? ""));
    ({ position } = part);
    if (!part.more) break;
    expect(pieces).toBeLessThan(20);
  }
  expect(got).toEqual(Array.from({ length: 5_000 }, (_, index) => String(index)));
});

test("a very long line is cut", async () => {
  file = [at(1, "y".repeat(20_000))];
  const [event = ""] = (await follow(LOG_BEGINNING)).events;
  expect(event).toHaveLength(16_385);
});
