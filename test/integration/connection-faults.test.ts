// What calls and watches leave behind in this process: connections, descriptors, memory.

import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Credentials } from "../../src/kubernetes/credentials.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import { getPod } from "../../src/kubernetes/pods.ts";
import { runReflector } from "../../src/kubernetes/reflector.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { quiet, running } from "../support/api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { type FakeRig, openFakeRig } from "../support/fake-executor.ts";
import { event, lines, list, podObject, startScriptedApiServer } from "../support/scripted-api-server.ts";

const SOON = { timeout: 15_000 };
let rig: FakeRig;
let http: KubernetesHttp;
let credentials: Credentials;
beforeEach(async () => {
  rig = await openFakeRig();
  credentials = { server: rig.server.url, tls: {}, headers: {} };
  http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: createFastClock(20),
    maxConnections: 20,
  });
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
const descriptors = () => readdirSync("/proc/self/fd").length;
const namespaceCall = {
  method: "GET",
  path: "/api/v1/namespaces/kube-system",
  verb: "get",
  resource: "namespaces",
  namespace: null,
} as const;

test("10,000 log reads, in a tenth, leave neither descriptors nor memory", async () => {
  const executor = rig.makeExecutor();
  const pod = await rig.launch(executor);
  const place = { resource: "pods", namespace: "default", name: pod.pod_name };
  rig.server.objects.patch(place, null, { spec: { nodeName: "n" } });
  await rig.setStatus(pod.pod_name, running);
  const text = "x".repeat(100);
  rig.server.logs.set(pod.pod_name, `2026-01-01T00:00:00.000000001Z ${text}\n`.repeat(50));
  const read = async (times: number) => {
    for (let left = times; left > 0; left -= 10) {
      const logs = await Promise.all(Array.from({ length: 10 }, async () => executor.readLog?.(pod)));
      expect(logs.every((log) => log?.lines.length === 50)).toBe(true);
    }
  };
  await read(200);
  rig.server.requests.length = 0;
  const before = { descriptors: descriptors(), memory: usedMemory() };
  await read(1_000);
  // Reading is only reading.
  expect(Object.keys(rig.server.counts()).toSorted()).toEqual(["get", "get pods/log"]);
  rig.server.requests.length = 0;
  await expect.poll(() => descriptors() - before.descriptors, SOON).toBeLessThan(10);
  await expect.poll(() => (usedMemory() - before.memory) / 1e6, SOON).toBeLessThan(5);
});

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
  const server = await startScriptedApiServer({ lists: [list("100")], watches: [lines(pods)] });
  credentials = { ...credentials, server: server.url };
  let applied = 0;
  let largest = 0;
  const stop = new AbortController();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const ended = new Promise<void>((resolve) => {
    const sink = {
      applyList: async (pages: AsyncIterable<{ resource_version: string }>) => {
        let version = "";
        for await (const page of pages) version = page.resource_version;
        delay.enable();
        return version;
      },
      applyChanges: async (changes: { pod: { name: string } }[]) => {
        largest = Math.max(largest, changes.length);
        for (const change of changes) expect(change.pod.name).toBe(`p${applied++}`);
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
  delay.disable();
  stop.abort();
  const p99 = delay.percentile(99) / 1e6;
  console.log(`50,000 events: loop delay p99 ${p99.toFixed(0)} ms, largest batch ${largest}`);
  expect(largest).toBeLessThanOrEqual(500);
  expect(p99).toBeLessThan(250);
  await server.close();
}, 60_000);
