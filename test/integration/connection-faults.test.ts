// What calls and watches leave behind in this process: connections, descriptors, timers, memory. And what they do when a
// connection says nothing more.

import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Credentials } from "../../src/kubernetes/credentials.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import { createPod, deletePod, getPod, labelPod } from "../../src/kubernetes/pods.ts";
import { runReflector } from "../../src/kubernetes/reflector.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { quiet, running } from "../support/api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { type FakeRig, openFakeRig } from "../support/fake-executor.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { measureSlices } from "../support/loop-slices.ts";
import { event, list, podObject, startScriptedApiServer, type Step } from "../support/scripted-api-server.ts";

const SOON = { timeout: 15_000 };
let rig: FakeRig;
let http: KubernetesHttp;
let credentials: Credentials;
const SPEED = 20;
const connect = (maxConnections: number) =>
  createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: createFastClock(SPEED),
    maxConnections,
  });
beforeEach(async () => {
  rig = await openFakeRig();
  credentials = { server: rig.server.url, tls: {}, headers: {} };
  http = connect(20);
});
afterEach(async () => {
  await http.close();
  await rig.close();
});

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc") as () => void;
/** What is left of it once all garbage is collected. */
const usedMemory = () => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
const descriptors = () => readdirSync("/proc/self/fd").length;
const namespaceCall = {
  method: "GET",
  path: "/api/v1/namespaces/kube-system",
  verb: "get",
  resource: "namespaces",
  namespace: null,
} as const;

test("10,000 log reads leave neither descriptors nor memory", async () => {
  const executor = rig.makeExecutor();
  const pod = await rig.launch(executor);
  const place = { resource: "pods", namespace: "default", name: pod.pod_name };
  rig.server.objects.patch(place, null, { spec: { nodeName: "n" } });
  await rig.setStatus(pod.pod_name, running);
  const text = "x".repeat(100);
  rig.server.logs.set(pod.pod_name, `2026-01-01T00:00:00.000000001Z ${text}\n`.repeat(10));
  const read = async (times: number) => {
    for (let left = times; left > 0; left -= 10) {
      const logs = await Promise.all(Array.from({ length: 10 }, async () => executor.readLog?.(pod)));
      expect(logs.every((log) => log?.lines.length === 10)).toBe(true);
    }
  };
  await read(200);
  const before = { descriptors: descriptors(), memory: usedMemory() };
  for (let round = 0; round < 10; round += 1) {
    rig.server.requests.length = 0;
    await read(1_000);
    // Reading is only reading.
    expect(Object.keys(rig.server.counts()).toSorted()).toEqual(["get", "get pods/log"]);
  }
  rig.server.requests.length = 0;
  await expect.poll(() => descriptors() - before.descriptors, SOON).toBeLessThan(10);
  await expect.poll(() => (usedMemory() - before.memory) / 1e6, SOON).toBeLessThan(5);
}, 120_000);

test("1,000 watches that are cut leave no descriptor and no connection", async () => {
  const open = async () => {
    const stream = await http.stream({
      ...namespaceCall,
      path: "/api/v1/namespaces/default/pods",
      query: { watch: true, resourceVersion: rig.server.objects.version() },
    });
    await stream.close();
  };
  await open();
  const before = descriptors();
  for (let round = 0; round < 100; round += 1) await Promise.all(Array.from({ length: 10 }, open));
  await expect.poll(() => descriptors() - before, SOON).toBeLessThan(10);
  await expect.poll(() => rig.server.connections(), SOON).toBeLessThan(10);
}, 60_000);

test("1,000 reconnects need no list, and leave no timer, descriptor or memory", async () => {
  const [reflectors, reconnects] = [10, 100];
  let version = 100;
  const broken: Step = (response) => {
    response.writeHead(200);
    version += 1;
    const bookmark = event("BOOKMARK", { metadata: { resourceVersion: String(version) } });
    response.write(`${JSON.stringify(bookmark)}\n`, () => setImmediate(() => response.socket?.resetAndDestroy()));
  };
  const watches = Array.from({ length: reflectors * reconnects }, () => broken);
  const server = await startScriptedApiServer({ watches });
  credentials = { ...credentials, server: server.url };
  const stop = new AbortController();
  const sink = {
    applyList: async (pages: AsyncIterable<{ resource_version: string }>) => {
      for await (const page of pages) return page.resource_version;
      return "";
    },
    applyChanges: async () => {},
  };
  const clock = createFastClock(1_000);
  const options = { http, clock, log: quiet, namespace: "default", selector: "", sink, resumeFrom: null };
  const reflecting = Array.from({ length: reflectors }, () =>
    runReflector({ ...options, relistIntervalMs: 10 ** 9, random: () => 0 }, stop.signal),
  );
  await server.until(3 * reflectors * 10);
  const before = { timers: timers(), descriptors: descriptors(), memory: usedMemory() };
  await server.until(reflectors * (reconnects + 2));
  expect(server.requests.filter((request) => request === "list")).toHaveLength(reflectors);
  await expect.poll(() => timers() - before.timers, SOON).toBeLessThan(3 * reflectors);
  await expect.poll(() => descriptors() - before.descriptors, SOON).toBeLessThan(3 * reflectors);
  await expect.poll(() => (usedMemory() - before.memory) / 1e6, SOON).toBeLessThan(5);
  stop.abort();
  await Promise.all(reflecting);
  await server.close();
}, 60_000);

const unary: [string, (http: KubernetesHttp) => Promise<unknown>][] = [
  ["create", (one) => createPod(one, "default", { metadata: { name: "q" }, spec: { containers: [{ name: "base" }] } })],
  ["get", (one) => getPod(one, "default", "p")],
  ["patch", (one) => labelPod(one, "default", "p", { uid: podUid(), labels: { kept: "yes" } })],
  ["delete", (one) => deletePod(one, "default", "p", { uid: podUid() })],
];
test.each(unary)(
  "a %s on a connection that falls silent is given up in time, and the next one gets another",
  async (verb, call) => {
    // One connection, so that it is known which one a call gets.
    const one = connect(1);
    const place = { resource: "pods", namespace: "default", name: "p" };
    rig.server.objects.create(place, { spec: { containers: [{ name: "base" }] } });
    const server = new URL(rig.server.url);
    const proxy = await startFaultProxy(server.hostname, Number(server.port));
    credentials = { ...credentials, server: `http://127.0.0.1:${proxy.port}` };
    await one.call(namespaceCall);
    proxy.blackHole();
    const began = performance.now();
    await expect(call(one)).rejects.toMatchObject({ reason: "Timeout", uncertain: verb !== "get" });
    // 20 seconds, and what a busy machine adds.
    expect((performance.now() - began) * SPEED).toBeLessThan(30_000);
    await call(one);
    expect(proxy.accepted()).toBe(2);
    await one.close();
    await proxy.close();
  },
);
const podUid = () => {
  const [pod] = rig.server.objects.list("pods", "default");
  return (pod?.["metadata"] as { uid: string } | undefined)?.uid ?? "";
};

test("a body that comes a byte at a time ends at the call's deadline", async () => {
  rig.server.intercept = (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const dripping = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(dripping));
    return "answered";
  };
  await expect(getPod(http, "default", "p")).rejects.toMatchObject({ reason: "Timeout", uncertain: false });
});

test("a rotated CA gets connections of its own, and calls on the old ones end well", async () => {
  let release = () => {};
  rig.server.intercept = async ({ resource }): Promise<Interception> => {
    if (resource === "pods") await new Promise<void>((resolve) => (release = resolve));
    return "pass";
  };
  const old = getPod(http, "default", "nobody");
  await expect.poll(() => rig.server.counts()["get"], SOON).toBe(1);
  credentials = { ...credentials, tls: { ca: "another" } };
  await http.call(namespaceCall);
  expect(await rig.server.connections()).toBe(2);
  release();
  await expect(old).rejects.toMatchObject({ code: 404 });
  await expect.poll(() => rig.server.connections(), SOON).toBe(1);
});

test("a burst of 50,000 events is applied in order, and the loop goes on meanwhile", async () => {
  const count = 50_000;
  const pods = Array.from({ length: count }, (_, index) => event("ADDED", podObject(`p${index}`, `${101 + index}`)));
  // Made before, because the server's part is not what is measured.
  const text = pods.map((each) => `${JSON.stringify(each)}\n`).join("");
  const burst: Step = (response) => void response.writeHead(200).write(text);
  const server = await startScriptedApiServer({ lists: [list("100")], watches: [burst] });
  credentials = { ...credentials, server: server.url };
  let applied = 0;
  let largest = 0;
  const stop = new AbortController();
  const slices = measureSlices();
  const ended = new Promise<void>((resolve) => {
    const sink = {
      applyList: async (pages: AsyncIterable<{ resource_version: string }>) => {
        let version = "";
        for await (const page of pages) version = page.resource_version;
        return version;
      },
      applyChanges: async (changes: { pod: { name: string } }[]) => {
        largest = Math.max(largest, changes.length);
        const names = changes.map((change) => change.pod.name);
        expect(names.join()).toBe(names.map(() => `p${applied++}`).join());
        await systemClock.sleep(1);
        if (applied === count) resolve();
      },
    };
    void runReflector(
      { http, clock: systemClock, log: quiet, namespace: "default", selector: "", sink, resumeFrom: null },
      stop.signal,
    );
  });
  await ended;
  stop.abort();
  const longestMs = slices.end();
  console.log(`50,000 events: the loop held up for ${longestMs.toFixed(0)} ms at most, largest batch ${largest}`);
  expect(largest).toBeLessThanOrEqual(500);
  expect(longestMs).toBeLessThan(50);
  await server.close();
}, 60_000);
