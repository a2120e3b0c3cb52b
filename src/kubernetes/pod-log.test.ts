import { afterEach, expect, test } from "vitest";
import { answer, startScriptedApiServer, status, type Step } from "../../test/support/scripted-api-server.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createKubernetesHttp } from "./http.ts";
import { type PodLog, readPodLog } from "./pod-log.ts";

const AT = "2026-11-21T08:00:05.123456789Z";
const NOW = new Date("2026-11-21T09:00:00Z");
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** @param steps the last of them again and again */
async function read(...steps: [Step, ...Step[]]): Promise<{ log: PodLog; url: URL }> {
  let asked = new URL("http://nobody");
  const server = await startScriptedApiServer({
    lists: Array.from({ length: 8 }, (_, index): Step => (response, url) => {
      asked = url;
      (steps[index] ?? steps.at(-1) ?? steps[0])(response, url);
    }),
  });
  cleanups.push(server.close);
  const credentials = { server: server.url, headers: {}, tls: {} };
  const clock = { ...systemClock, now: () => NOW };
  const http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock,
    maxConnections: 1,
  });
  cleanups.push(() => http.close());
  const { signal } = new AbortController();
  const log = await readPodLog({ http, clock, namespace: "etl", pod: "load-1", container: "base", signal });
  return { log, url: asked };
}

test("asks for the end of the main container's log, and reads it line by line", async () => {
  const { log, url } = await read(answer(200, `${AT} one\n${AT} \n${AT} two words \u00e9\r\n${AT} no newline`));
  expect(url.pathname).toBe("/api/v1/namespaces/etl/pods/load-1/log");
  expect(Object.fromEntries(url.searchParams)).toEqual({ container: "base", timestamps: "true", tailLines: "10001" });
  expect(log.lines.map(({ event }) => event)).toEqual(["one", "", "two words \u00e9", "no newline"]);
  expect(log.lines[0]?.timestamp).toBe(AT);
  expect(log.shortened).toBe(false);
});

test("a line without a time is the node's own, and has that of the line before it", async () => {
  const { log } = await read(answer(200, `unable to retrieve logs\n${AT} one\nfailed to watch file\n`));
  expect(log.lines).toEqual([
    { timestamp: NOW.toISOString(), event: "unable to retrieve logs" },
    { timestamp: AT, event: "one" },
    { timestamp: AT, event: "failed to watch file" },
  ]);
});

test.each<[string, string[], number, string]>([
  ["lines", Array.from({ length: 10_001 }, (_, index) => `line ${index}`), 10_000, "line 1"],
  ["characters", Array.from({ length: 100 }, () => "x".repeat(16_384)), 64, "x".repeat(16_384)],
  ["one long line", ["y".repeat(16_385)], 1, `${"y".repeat(16_384)}…`],
])("keeps the last part of too many %s, and says so", async (_, texts, kept, first) => {
  const { log } = await read(answer(200, texts.map((text) => `${AT} ${text}\n`).join("")));
  expect(log).toMatchObject({ shortened: true });
  expect(log.lines).toHaveLength(kept);
  expect(log.lines[0]?.event).toBe(first);
});

test("a body that ends early is asked for again, until one comes twice", async () => {
  const whole = `${AT} one\n${AT} two\n`;
  const { log } = await read(
    answer(200, `${AT} one\n${AT} t`),
    answer(200, whole),
    answer(200, ""),
    answer(200, whole),
  );
  expect(log.lines.map(({ event }) => event)).toEqual(["one", "two"]);
});

test("an empty log has no lines", async () => {
  expect((await read(answer(200, ""))).log).toEqual({ lines: [], shortened: false });
});

test.each<[string, Step, object]>([
  [
    "a refusal names the permission",
    answer(403, status(403, "Forbidden")),
    { code: 403, action: expect.stringContaining('get pods/log in namespace "etl"') },
  ],
  ["a node that does not answer", answer(500, status(500, "InternalError")), { code: 500 }],
  ["a connection that breaks off", (response) => void response.socket?.resetAndDestroy(), { code: 0 }],
  [
    "a body that breaks off",
    (response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write(`${AT} one\n`, () => response.socket?.resetAndDestroy());
    },
    { code: 0 },
  ],
])("throws: %s", async (_, step, error) => {
  await expect(read(step)).rejects.toMatchObject({ name: "KubernetesError", ...error });
});
