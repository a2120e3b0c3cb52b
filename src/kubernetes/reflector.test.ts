import { afterEach, expect, test } from "vitest";
import { createFastClock } from "../../test/support/fast-clock.ts";
import {
  answer,
  event,
  lines,
  list,
  podObject,
  type ScriptedApiServer,
  startScriptedApiServer,
  status,
  type Step,
} from "../../test/support/scripted-api-server.ts";
import { failure } from "../core/errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { createKubernetesHttp } from "./http.ts";
import { type ReflectorOptions, type ReflectorSink, type ReflectorState, runReflector } from "./reflector.ts";

const SPEED = 50;
const log = createLogger("silent");
let cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
  cleanups = [];
});

interface Run {
  server: ScriptedApiServer;
  /** What the sink applied, in order: "list RV: names" or "RV: ADDED name, …". */
  applied: string[];
  states: ReflectorState[];
  ended: Promise<unknown>;
}

async function start(
  script: { lists?: Step[]; watches?: Step[] },
  options: Partial<ReflectorOptions> & { failing?: (call: string) => void } = {},
): Promise<Run> {
  const server = await startScriptedApiServer(script);
  const clock = createFastClock(SPEED);
  const http = createKubernetesHttp({
    clock,
    maxConnections: 4,
    credentials: {
      current: async () => ({ server: server.url, tls: {}, headers: {} }),
      renew: async () => ({ server: server.url, tls: {}, headers: {} }),
    },
  });
  const applied: string[] = [];
  const states: ReflectorState[] = [];
  const apply = (text: string) => {
    options.failing?.(text);
    applied.push(text);
  };
  const sink: ReflectorSink = {
    applyList: async (pages) => {
      const names: string[] = [];
      let resourceVersion = "";
      for await (const page of pages) {
        names.push(...page.pods.map((pod) => pod.name));
        resourceVersion = page.resource_version;
      }
      apply(`list ${resourceVersion}: ${names.join(",")}`);
      return resourceVersion;
    },
    applyChanges: async (changes, resourceVersion) => {
      apply(`${resourceVersion}: ${changes.map((change) => `${change.type} ${change.pod.name}`).join(",")}`);
    },
  };
  const stop = new AbortController();
  const ended = runReflector(
    {
      http,
      clock,
      log,
      namespace: "default",
      selector: "a=b",
      sink,
      resumeFrom: null,
      onState: (state) => states.push(state),
      ...options,
    },
    stop.signal,
  ).then(
    () => "stopped",
    (error: unknown) => error,
  );
  cleanups.push(server.close, http.close, async () => {
    stop.abort();
    await ended;
  });
  return { server, applied, states, ended };
}

const added = (name: string, resourceVersion: string) => event("ADDED", podObject(name, resourceVersion));
const bookmark = (resourceVersion: string) => event("BOOKMARK", { metadata: { resourceVersion } });

test("lists, then watches from the list's moment; bookmarks move the position in order", async () => {
  const { server, applied } = await start({
    lists: [list("100", [podObject("a", "90")], "next"), list("100", [podObject("b", "91")])],
    watches: [lines([added("c", "101"), bookmark("150")], "reset")],
  });
  await server.until(4);
  expect(server.requests).toEqual(["list", "list", "watch from 100", "watch from 150"]);
  expect(applied).toEqual(["list 100: a,b", "150: ADDED c"]);
});

test("goes on from a position without a list, and lists within a minute all the same", async () => {
  const { server, applied } = await start(
    { watches: [lines([added("a", "51")], "reset"), lines([], "end")] },
    { resumeFrom: "50" },
  );
  await server.until(2);
  expect(server.requests).toEqual(["watch from 50", "watch from 51"]);
  await server.until(4);
  expect(applied[0]).toBe("51: ADDED a");
  expect(server.requests.slice(0, 3)).not.toContain("list");
});

test.each<[string, Step]>([
  ["an answer of 410", answer(410, status(410, "Expired"))],
  ["an event of 410 that leaves the stream open", lines([added("a", "101"), event("ERROR", status(410, "Expired"))])],
  ["an event of 410 as of old", lines([event("ERROR", status(410, "Gone"))], "end")],
  ["a line that is not JSON", lines([added("a", "101"), '{"type":"MODIF'])],
  ["an event of an unknown type", lines([event("SURPRISE", podObject("a", "101"))])],
  ["a pod without metadata", lines([event("MODIFIED", {})])],
  ["a bookmark without a version", lines([event("BOOKMARK", { metadata: {} })])],
  ["a bookmark and then an event of 410", lines([bookmark("150"), event("ERROR", status(410, "Expired"))])],
  ["an answer that the position is not valid", answer(400, status(400, "BadRequest"))],
])("lists anew after %s", async (_, step) => {
  const { server } = await start({ lists: [list("100"), list("200")], watches: [step] });
  await server.until(4);
  expect(server.requests).toEqual(["list", "watch from 100", "list", "watch from 200"]);
});

const cutInCharacter: Step = (response) => {
  const half = Buffer.from(JSON.stringify(added("🦆", "102")));
  const cut = half.subarray(0, half.indexOf("🦆") + 2);
  response.writeHead(200);
  // The connection ends, the answer's body does not.
  response.write(Buffer.concat([Buffer.from(`${JSON.stringify(added("a", "101"))}\n`), cut]), () =>
    response.socket?.end(),
  );
};

test.each<[string, Step, string]>([
  ["a reset", lines([added("a", "101")], "reset"), "101"],
  [
    "an end in the middle of a line",
    (response) => response.end(`${JSON.stringify(added("a", "101"))}\n{"type":"ADD`),
    "101",
  ],
  ["a FIN in the middle of a character", cutInCharacter, "101"],
  ["an answer of 500 in HTML", answer(500, "<html>oops</html>"), "100"],
  ["an answer of 429", answer(429, status(429, "TooManyRequests"), { "retry-after": "1" }), "100"],
  ["an event of 504", lines([event("ERROR", status(504, "Timeout"))]), "100"],
  ["blank lines", lines([added("a", "101"), "", "  "], "reset"), "101"],
  ["a line of 5 MB", lines([event("ADDED", { ...podObject("a", "101"), spec: "x".repeat(5e6) })], "end"), "101"],
  ["an event of 500", lines([added("a", "101"), event("ERROR", status(500, "InternalError"))]), "101"],
])("goes on from the last position after %s", async (_, step, position) => {
  const { server } = await start({ lists: [list("100")], watches: [step] });
  await server.until(3);
  expect(server.requests).toEqual(["list", "watch from 100", `watch from ${position}`]);
});

test.each([
  ["500", status(500, "InternalError")],
  ["504, too large", status(504, "Timeout", { details: { causes: [{ reason: "ResourceVersionTooLarge" }] } })],
])("a position that the server answers with %s time and again is given up", async (code, body) => {
  const broken = answer(Number.parseInt(code), body);
  const { server } = await start({ lists: [list("100"), list("200")], watches: [broken, broken, broken] });
  await server.until(6);
  const watch = "watch from 100";
  expect(server.requests).toEqual(["list", watch, watch, watch, "list", "watch from 200"]);
});

test("characters that are cut between chunks arrive whole", async () => {
  const bytes = Buffer.from(`${JSON.stringify(added("zażółć-🦆", "101"))}\n`);
  const { server, applied } = await start({
    watches: [
      (response) => {
        response.writeHead(200);
        // One byte per write: every character of more than one byte is cut.
        for (const byte of bytes) response.write(Buffer.of(byte));
        setTimeout(() => response.socket?.resetAndDestroy(), 50);
      },
    ],
  });
  await server.until(3);
  expect(applied).toContain("101: ADDED zażółć-🦆");
});

test("a silent connection is given up after the idle limit, and the position kept", async () => {
  const { server } = await start({ watches: [lines([bookmark("120")])] }, { idleMs: 5_000 });
  await server.until(3);
  expect(server.requests).toEqual(["list", "watch from 100", "watch from 120"]);
});

test("Retry-After is the least that is waited", async () => {
  const began = performance.now();
  const { server } = await start({
    lists: [answer(503, status(503, "ServiceUnavailable"), { "retry-after": "20" }), list("100")],
  });
  await server.until(2);
  expect(performance.now() - began).toBeGreaterThanOrEqual((20_000 / SPEED) * 0.95);
});

test("what an event of 429 asks to wait is waited", async () => {
  const began = performance.now();
  const busy = status(429, "TooManyRequests", { details: { retryAfterSeconds: 20 } });
  const { server } = await start({ lists: [list("100")], watches: [lines([event("ERROR", busy)])] });
  await server.until(3);
  expect(performance.now() - began).toBeGreaterThanOrEqual((20_000 / SPEED) * 0.95);
  expect(server.requests.at(-1)).toBe("watch from 100");
});

test("a list behind the known position is said aloud, and is the truth from then on", async () => {
  const said: string[] = [];
  const loud = Object.assign(Object.create(log) as typeof log, { error: (_: object, text: string) => said.push(text) });
  const { server } = await start(
    { lists: [list("90")], watches: [answer(410, status(410, "Expired"))] },
    { resumeFrom: "18446744073709551616", log: loud },
  );
  await server.until(3);
  expect(server.requests).toEqual(["watch from 18446744073709551616", "list", "watch from 90"]);
  expect(said).toEqual(["the cluster's history went back; was its etcd restored?"]);
});

test("headers that a proxy holds back for 25 seconds are waited for; those that never come are not", async () => {
  const late: Step = (response) =>
    void setTimeout(() => lines([added("a", "101")], "reset")(response, new URL("http://x")), 25_000 / SPEED);
  const { server, applied } = await start({ lists: [list("100")], watches: [late, () => {}] });
  await server.until(4);
  expect(applied).toContain("101: ADDED a");
  expect(server.requests).toEqual(["list", "watch from 100", "watch from 101", "watch from 101"]);
});

test("watches that end at once lead to a list, and never to more than a few requests a minute", async () => {
  const instant = Array.from({ length: 100 }, () => lines([], "end"));
  const began = performance.now();
  const { server } = await start({ watches: instant });
  await server.until(14);
  const minutes = ((performance.now() - began) * SPEED) / 60_000;
  // A second of this clock is a few milliseconds: one answer that a busy machine delays starts the count of three anew.
  const relist = server.requests.indexOf("list", 1);
  expect(relist).toBeGreaterThanOrEqual(4);
  expect(server.requests.slice(relist - 3, relist)).toEqual(["watch from 100", "watch from 100", "watch from 100"]);
  expect(server.requests.length / minutes).toBeLessThan(20);
});

test("a continue token that expires leads to a list anew, and the second time to one whole list", async () => {
  const limits: (string | null)[] = [];
  const noting =
    (step: Step): Step =>
    (response, url) => {
      limits.push(url.searchParams.get("limit"));
      step(response, url);
    };
  const { server, applied } = await start({
    lists: [
      list("100", [podObject("a", "90")], "next"),
      answer(410, status(410, "Expired")),
      list("105", [podObject("a", "90")], "next"),
      answer(410, status(410, "Expired")),
      list("110", [podObject("b", "91")]),
    ].map(noting),
  });
  await server.until(6);
  expect(limits).toEqual(["250", "250", "250", "250", "0"]);
  expect(applied).toEqual(["list 110: b"]);
});

test("a consumer that fails leads back to a list; nothing counts as applied", async () => {
  let failed = false;
  const { server, applied } = await start(
    { lists: [list("100"), list("200")], watches: [lines([added("a", "101")])] },
    {
      failing: (call) => {
        if (call.startsWith("list") || failed) return;
        failed = true;
        throw failure("unavailable", "Postgres is away");
      },
    },
  );
  await server.until(4);
  expect(server.requests).toEqual(["list", "watch from 100", "list", "watch from 200"]);
  expect(applied).toEqual(["list 100: ", "list 200: "]);
});

test("a consumer that fails for long is asked slowly, and has it all after that", async () => {
  const began = performance.now();
  const passed = () => (performance.now() - began) * SPEED;
  const { server, applied } = await start(
    { lists: Array.from({ length: 50 }, () => list("100", [podObject("a", "90")])) },
    {
      failing: () => {
        if (passed() < 45_000) throw failure("unavailable", "Postgres is away");
      },
    },
  );
  await expect.poll(() => applied, { timeout: 15_000 }).toEqual(["list 100: a"]);
  const minutes = passed() / 60_000;
  expect(server.requests.length / minutes).toBeLessThan(20);
});

test("410 in each form leads to a list within a second, and to no word of an error", async () => {
  const said: string[] = [];
  const loud = Object.assign(Object.create(log) as typeof log, { error: (_: object, text: string) => said.push(text) });
  const expired = status(410, "Expired");
  const forms: Step[][] = [
    [answer(410, expired)],
    [lines([event("ERROR", expired)])],
    [lines([event("ERROR", expired)], "end")],
    [lines([added("a", "101"), bookmark("102"), event("ERROR", expired)])],
    [lines([added("a", "101"), event("ERROR", status(410, "Gone"))], "end")],
    // What failed before does not count.
    [answer(500, "oops"), answer(410, expired)],
  ];
  const waits = forms.map(async (form) => {
    let told = 0;
    let listed = 0;
    const timed: Step[] = form.map((step) => (response, url) => {
      told = performance.now();
      step(response, url);
    });
    const second: Step = (response, url) => {
      listed = performance.now();
      list("200")(response, url);
    };
    // On the real clock: a second is a second.
    const options = { clock: systemClock, log: loud, random: () => 0.9 };
    const { server } = await start({ lists: [list("100"), second], watches: timed }, options);
    await server.until(form.length + 3);
    expect(server.requests.slice(-2)).toEqual(["list", "watch from 200"]);
    return listed - told;
  });
  for (const wait of await Promise.all(waits)) expect(wait).toBeLessThan(1_000);
  expect(said).toEqual([]);
});

test("410 after every list is asked ever more slowly", async () => {
  const expired = answer(410, status(410, "Expired"));
  const began = performance.now();
  const { server } = await start({ watches: Array.from({ length: 50 }, () => expired) });
  await server.until(16);
  expect((performance.now() - began) * SPEED).toBeGreaterThan(30_000);
});

test("a lost lease ends it", async () => {
  const { ended } = await start(
    { watches: [lines([added("a", "101")])] },
    {
      failing: (call) => {
        if (!call.startsWith("list")) throw failure("lease_lost", "another process watches");
      },
    },
  );
  expect(await ended).toMatchObject({ code: "lease_lost" });
});

test("what is forbidden is said, and asked for again slowly", async () => {
  const began = performance.now();
  const { server, states } = await start({ lists: [answer(403, status(403, "Forbidden")), list("100")] });
  await server.until(2);
  expect(performance.now() - began).toBeGreaterThanOrEqual((30_000 / SPEED) * 0.95);
  expect(states[1]).toMatchObject({
    kind: "degraded",
    reason: expect.stringContaining('cannot list pods in namespace "default"'),
  });
});

test("a slow consumer holds the stream back and gets everything in order", async () => {
  const pods = Array.from({ length: 12_000 }, (_, index) => added(`p${index}`, `${101 + index}`));
  const { server, applied } = await start({ watches: [lines(pods, "end")] });
  await server.until(3);
  const names = applied.slice(1).flatMap((text) => text.split(": ")[1]?.split(",") ?? []);
  expect(names.join()).toBe(pods.map((_, index) => `ADDED p${index}`).join());
  expect(Math.max(...applied.map((text) => text.split(",").length))).toBeLessThanOrEqual(500);
  expect(server.requests.at(-1)).toBe("watch from 12100");
});
