import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Executor, LaunchOrder } from "../../src/executors/executor.ts";
import { createKubernetesExecutor, type KubernetesExecutorOptions } from "../../src/executors/kubernetes-executor.ts";
import { UNMONITORED } from "../../src/executors/kubernetes-monitor.ts";
import { isNotFound } from "../../src/kubernetes/kubernetes-error.ts";
import { getPod } from "../../src/kubernetes/pods.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import type { Service } from "../../src/lifecycle/service.ts";
import {
  call,
  connect,
  createNamespace,
  createRecordingLedger,
  kubeconfigPath,
  kubeconfigThrough,
  makeOrder,
  quiet,
  type RecordingLedger,
  running,
  serverAddress,
  setStatus,
  terminated,
  UNSCHEDULED,
} from "../support/api-server.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";

const http = connect();
let namespace = "";
let started: Service[] = [];

beforeAll(async () => {
  namespace = await createNamespace(http);
});
afterEach(async () => {
  await Promise.all(started.map((service) => service.stop()));
  started = [];
});
afterAll(async () => {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
  await http.close();
});

function makeExecutor(more: Partial<KubernetesExecutorOptions> = {}) {
  const executor = createKubernetesExecutor({
    cluster: { kubeconfigPath: kubeconfigPath() },
    namespaces: [namespace],
    defaultNamespace: namespace,
    image: "registry.example/windlass:1",
    apiUrl: "http://windlass-api:8080",
    template: UNSCHEDULED,
    installationId: randomUUID(),
    holder: randomUUID(),
    ledger: createRecordingLedger(),
    clock: systemClock,
    log: quiet,
    ...more,
  });
  started.push(executor);
  return executor;
}
const podPath = (name: string) => `/api/v1/namespaces/${namespace}/pods/${name}`;
const isGone = (name: string) =>
  getPod(http, namespace, name).then(
    () => false,
    (error: unknown) => isNotFound(error),
  );
/** As the scheduler does: a row, then a pod, then its uid in the row. */
async function launch(executor: Executor, ledger: RecordingLedger, order: LaunchOrder): Promise<string> {
  ledger.expect(order, null, "launching");
  const uid = uidOf(await executor.launch(order));
  ledger.expect(order, uid);
  return uid;
}
const uidOf = (result: { kind: string; pod_uid?: string }) => {
  if (result.pod_uid === undefined) throw new Error(`not launched: ${JSON.stringify(result)}`);
  return result.pod_uid;
};

describe("launch", () => {
  test("is the same pod however often it is repeated", async () => {
    const executor = makeExecutor();
    const order = makeOrder(namespace);
    const [first, second] = await Promise.all([executor.launch(order), executor.launch(order)]);
    expect(first).toEqual(second);
    expect(await executor.launch(order)).toEqual(first);
    expect((await getPod(http, namespace, order.pod_name)).uid).toBe(uidOf(first));
  });

  test("whose answer was lost finds its pod", async () => {
    const { host, port } = await serverAddress(http);
    const proxy = await startFaultProxy(host, port);
    const executor = makeExecutor({ cluster: { kubeconfigPath: await kubeconfigThrough(proxy.port) } });
    await executor.launch(makeOrder(namespace));
    const order = makeOrder(namespace);
    proxy.loseNextAnswer();
    const result = await executor.launch(order);
    expect((await getPod(http, namespace, order.pod_name)).uid).toBe(uidOf(result));
    expect(proxy.accepted()).toBeGreaterThan(1);
    await executor.stop();
    await proxy.close();
  });

  test("is put off while the API server is away", async () => {
    const executor = makeExecutor({ cluster: { kubeconfigPath: await kubeconfigThrough(1) } });
    expect(await executor.launch(makeOrder(namespace))).toMatchObject({
      kind: "retry",
      reason: expect.stringContaining("not available"),
    });
  });

  test("is put off while a pod of its name is being deleted", async () => {
    const executor = makeExecutor();
    const order = makeOrder(namespace, { pod: { metadata: { annotations: {} } } });
    await executor.launch(order);
    await call(http, "PATCH", podPath(order.pod_name), { metadata: { finalizers: ["windlass.dev/test"] } });
    await call(http, "DELETE", podPath(order.pod_name));
    expect(await executor.launch(order)).toMatchObject({
      kind: "retry",
      reason: expect.stringContaining("still being deleted"),
    });
    await call(http, "PATCH", podPath(order.pod_name), { metadata: { finalizers: null } });
    expect((await executor.launch(order)).kind).toBe("launched");
  });

  test.each([
    [
      "another's pod of the same name",
      (own: string) => makeOrder(own, { pod_name: "taken" }),
      /belongs to someone else/,
    ],
    [
      "a field that does not exist",
      (own: string) => makeOrder(own, { pod: { spec: { nodeSelektor: {} } } }),
      /unknown field "spec.nodeSelektor"/,
    ],
    [
      "a value that is not valid",
      (own: string) => makeOrder(own, { pod: { spec: { dnsPolicy: "Sometimes" } } }),
      /spec.dnsPolicy: Unsupported value/,
    ],
    [
      "a changed label of ours",
      (own: string) => makeOrder(own, { pod: { metadata: { labels: { "windlass.dev/attempt-id": "me" } } } }),
      /metadata.labels\["windlass.dev\/attempt-id"\]/,
    ],
    [
      "a namespace that is not watched",
      () => makeOrder("kube-system"),
      /"kube-system" is not one of this installation's/,
    ],
  ])("is refused for %s", async (_, order, reason) => {
    await call(http, "POST", `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name: "taken" },
      spec: { schedulerName: "nobody", containers: [{ name: "base", image: "x" }] },
    }).catch((error: { code: number }) => {
      if (error.code !== 409) throw error;
    });
    const result = await makeExecutor().launch(order(namespace));
    expect(result.kind).toBe("refused");
    expect(result).toHaveProperty("reason", expect.stringMatching(reason));
  });

  test("into a namespace that does not exist is refused by its name", async () => {
    const executor = makeExecutor({ namespaces: ["nowhere-at-all"], defaultNamespace: "nowhere-at-all" });
    const result = await executor.launch(makeOrder("nowhere-at-all"));
    expect(result).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining('"nowhere-at-all" does not exist'),
    });
  });
});

describe("watch", () => {
  test("tells the life of a pod, its end from the container while the phase still says Running", async () => {
    const ledger = createRecordingLedger();
    const executor = makeExecutor({ ledger });
    await executor.start();
    const order = makeOrder(namespace);
    const uid = await launch(executor, ledger, order);
    const mine = { attempt_id: order.attempt_id, epoch: 1, namespace, pod_uid: uid };
    expect(await ledger.wait("the pod", (seen) => seen.pod_uid === uid)).toMatchObject({
      ...mine,
      waiting: { kind: "starting" },
      outcome: null,
      gone: false,
    });

    await setStatus(http, namespace, order.pod_name, running);
    await ledger.wait(
      "its start",
      (seen) => seen.pod_uid === uid && seen.container_started_at === "2026-01-01T00:00:00Z" && seen.waiting === null,
    );
    await setStatus(http, namespace, order.pod_name, { ...terminated(137, { reason: "OOMKilled" }), phase: "Running" });
    await ledger.wait(
      "its end",
      (seen) => seen.pod_uid === uid && seen.outcome?.kind === "out_of_memory" && !seen.gone,
    );

    expect(await executor.remove({ ...mine, pod_name: order.pod_name })).toBe("going");
    await ledger.wait(
      "its going",
      (seen) => seen.pod_uid === uid && seen.gone && seen.outcome?.kind === "out_of_memory",
    );
    expect(await executor.remove({ ...mine, pod_name: order.pod_name })).toBe("gone");
    expect(await executor.remove({ ...mine, pod_uid: null, pod_name: order.pod_name })).toBe("gone");
    expect(executor.watchStates()).toEqual({ [namespace]: { kind: "watching" } });
    expect([...ledger.positions.keys()][0]).toMatch(
      new RegExp(`^[0-9a-f-]{36}/v1/pods/${namespace}/windlass.dev/installation=`),
    );
  });

  test("tells a deletion by a person, also by force, from an end", async () => {
    const ledger = createRecordingLedger();
    const executor = makeExecutor({ ledger });
    await executor.start();
    const order = makeOrder(namespace);
    const uid = await launch(executor, ledger, order);
    await setStatus(http, namespace, order.pod_name, running);
    await ledger.wait("its start", (seen) => seen.pod_uid === uid && seen.container_started_at !== null);
    await call(http, "DELETE", `${podPath(order.pod_name)}?gracePeriodSeconds=0`);
    expect(await ledger.wait("its going", (seen) => seen.pod_uid === uid && seen.gone)).toMatchObject({
      outcome: { kind: "deleted" },
    });
  });

  test("a successor of the same name means that the first pod is gone", async () => {
    const ledger = createRecordingLedger();
    const executor = makeExecutor({ ledger });
    const order = makeOrder(namespace);
    const uid = await launch(executor, ledger, order);
    await executor.start();
    await ledger.wait("the pod", (seen) => seen.pod_uid === uid);
    await call(http, "DELETE", podPath(order.pod_name));
    const next = await launch(executor, ledger, order);
    await ledger.wait("its going", (seen) => seen.pod_uid === uid && seen.gone);
    await ledger.wait("its successor", (seen) => seen.pod_uid === next && !seen.gone);
    expect(ledger.observations.filter((seen) => seen.pod_uid === next && seen.gone)).toEqual([]);
  });

  test("after a restart without a position the list says what went missing, and removes what nobody expects", async () => {
    const ledger = createRecordingLedger();
    const installationId = randomUUID();
    const executor = makeExecutor({ ledger, installationId });
    const [kept, deleted, orphan, unborn] = [
      makeOrder(namespace),
      makeOrder(namespace),
      makeOrder(namespace),
      makeOrder(namespace),
    ];
    for (const order of [kept, deleted]) await launch(executor, ledger, order);
    await executor.launch(orphan);
    ledger.expect(unborn, null, "launching");
    await setStatus(http, namespace, kept.pod_name, terminated(3));
    await call(http, "DELETE", podPath(deleted.pod_name));

    await executor.start();
    await ledger.wait("the end", (seen) => seen.attempt_id === kept.attempt_id && seen.outcome?.exit_code === 3);
    expect(await ledger.wait("the loss", (seen) => seen.attempt_id === deleted.attempt_id && seen.gone)).toMatchObject({
      outcome: { kind: "lost" },
    });
    await ledger.wait("the orphan's going", (seen) => seen.attempt_id === orphan.attempt_id && seen.gone);
    expect(await isGone(orphan.pod_name)).toBe(true);
    expect(await isGone(kept.pod_name)).toBe(false);
    expect(ledger.observations.filter((seen) => seen.attempt_id === unborn.attempt_id)).toEqual([]);
  });

  test("after a short restart it goes on from the position, without a list", async () => {
    const ledger = createRecordingLedger();
    const installationId = randomUUID();
    const before = makeExecutor({ ledger, installationId });
    await before.start();
    const order = makeOrder(namespace);
    const uid = await launch(before, ledger, order);
    await ledger.wait("the pod", (seen) => seen.pod_uid === uid);
    await before.stop();

    await setStatus(http, namespace, order.pod_name, terminated(5));
    const verbs: string[] = [];
    const after = makeExecutor({
      ledger,
      installationId,
      monitor: { ...UNMONITORED, onRequest: (record) => verbs.push(record.verb) },
    });
    await after.start();
    await ledger.wait("the end", (seen) => seen.pod_uid === uid && seen.outcome?.exit_code === 5);
    expect(verbs).not.toContain("list");
  });

  test("only one of two executors watches; the other takes over", async () => {
    const ledger = createRecordingLedger();
    const installationId = randomUUID();
    const states: string[] = [];
    const [one, two] = [makeExecutor({ ledger, installationId }), makeExecutor({ ledger, installationId })];
    await one.start();
    const order = makeOrder(namespace);
    const uid = await launch(one, ledger, order);
    await ledger.wait("the pod", (seen) => seen.pod_uid === uid);
    await two.start();
    await setStatus(http, namespace, order.pod_name, running);
    await ledger.wait("its start", (seen) => seen.container_started_at !== null);
    states.push(two.watchStates()[namespace]?.kind ?? "");
    expect(states).toEqual(["following"]);
    expect(ledger.observations.filter((seen) => seen.container_started_at !== null)).toHaveLength(1);

    await one.stop();
    await setStatus(http, namespace, order.pod_name, terminated(1));
    await ledger.wait("its end", (seen) => seen.outcome?.kind === "task_failed");
    expect(two.watchStates()[namespace]?.kind).toBe("watching");
  });

  test("a holder whose lease was taken writes nothing more", async () => {
    const ledger = createRecordingLedger();
    const executor = makeExecutor({ ledger });
    await executor.start();
    const order = makeOrder(namespace);
    const uid = await launch(executor, ledger, order);
    await ledger.wait("the pod", (seen) => seen.pod_uid === uid);
    const refusals: unknown[] = [];
    const { record } = ledger;
    const refused = new Promise<void>((resolve) => {
      ledger.record = async (batch) =>
        record(batch).catch((error: unknown) => {
          refusals.push(error);
          resolve();
          throw error;
        });
    });
    ledger.steal();
    const written = ledger.observations.length;
    await setStatus(http, namespace, order.pod_name, terminated(1));
    await refused;
    await executor.stop();
    expect(refusals).toMatchObject([{ code: "lease_lost" }]);
    expect(ledger.observations).toHaveLength(written);
  });
});
