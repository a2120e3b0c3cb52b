// What one namespace, or one node, keeps waiting in a cluster that answers otherwise: everything else goes on.

import { LOG_BEGINNING } from "../../src/core/log-position.ts";
import { MAIN_CONTAINER } from "../../src/core/pod-snapshot.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Interception } from "../support/fake-api-server.ts";
import { makeOrder } from "../support/api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { type FakeRig, openFakeRig } from "../support/fake-executor.ts";

/** A busy machine is slow, and nothing here is about how fast it is. */
const SOON = { timeout: 15_000 };
const CONCURRENCY = 8;
const clock = createFastClock(10);
let rig: FakeRig;
beforeEach(async () => {
  rig = await openFakeRig(clock);
  rig.server.objects.create({ resource: "namespaces", namespace: null, name: "etl" }, {});
});
afterEach(() => rig.close());

const makeExecutor = () => rig.makeExecutor({ namespaces: ["default", "etl"], launchConcurrency: CONCURRENCY });

test("a webhook of one namespace that fails slowly takes one place, and the reason is shown", async () => {
  const executor = makeExecutor();
  let [isDown, underWay, most] = [true, 0, 0];
  rig.server.intercept = async ({ verb, namespace }, response): Promise<Interception> => {
    if (verb !== "create" || namespace !== "etl" || !isDown) return "pass";
    underWay += 1;
    most = Math.max(most, underWay);
    await clock.sleep(2_000);
    underWay -= 1;
    const message =
      'Internal error occurred: failed calling webhook "inject.example.com": failed to call webhook: context deadline exceeded';
    const status = { kind: "Status", status: "Failure", reason: "InternalError", code: 500, message };
    response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify(status));
    return "answered";
  };
  const launchMany = (count: number, namespace: string) =>
    Array.from({ length: count }, () => executor.launch(makeOrder(namespace)));
  const said = { kind: "retry", reason: expect.stringContaining('failed calling webhook "inject.example.com"') };
  for (const result of await Promise.all(launchMany(CONCURRENCY, "etl"))) expect(result).toMatchObject(said);
  // No sign of load: the cluster is given as many calls as before.
  expect(executor.launchConcurrency).toBe(CONCURRENCY);

  await clock.sleep(1_100);
  most = 0;
  const [probe, ...others] = launchMany(50, "etl");
  await expect.poll(() => underWay, SOON).toBe(1);
  // It takes longer than that.
  await clock.sleep(1_500);
  others.push(...launchMany(50, "etl"));
  for (const result of await Promise.all(others)) expect(result).toMatchObject(said);
  const elsewhere = await Promise.all(launchMany(CONCURRENCY - 1, "default"));
  for (const result of elsewhere) expect(result).toMatchObject({ kind: "launched" });
  expect(await probe).toMatchObject(said);
  expect(most).toBe(1);

  isDown = false;
  await expect.poll(async () => (await executor.launch(makeOrder("etl"))).kind, SOON).toBe("launched");
  for (const result of await Promise.all(launchMany(CONCURRENCY, "etl"))) {
    expect(result).toMatchObject({ kind: "launched" });
  }
});

test("logs of nodes that do not answer hold up no list", async () => {
  const other = await openFakeRig();
  try {
    const executor = other.makeExecutor({ launchConcurrency: CONCURRENCY });
    const pods = await Promise.all(Array.from({ length: 20 }, () => other.launch(executor)));
    const state = { running: { startedAt: "2026-11-21T08:00:00Z" } };
    const main = { name: MAIN_CONTAINER, image: "busybox", imageID: "", ready: true, restartCount: 0, state };
    for (const { pod_name } of pods) {
      await other.setStatus(pod_name, { phase: "Running", containerStatuses: [main] });
    }
    other.server.intercept = ({ resource }) => (resource === "pods/log" ? "answered" : "pass");
    const reading = pods.map(async (pod) => executor.followLog?.(pod, LOG_BEGINNING, false).catch(() => null));
    await expect.poll(() => other.server.counts()["get pods/log"] ?? 0, SOON).toBeGreaterThan(1);
    await executor.start();
    // Sooner than the 10 s after which the others are given up.
    await expect.poll(() => other.server.counts()["watch"], { timeout: 8_000 }).toBe(1);
    await executor.stop();
    await Promise.all(reading);
  } finally {
    await other.close();
  }
});
