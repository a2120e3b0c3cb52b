// Pods that stay after their attempts, on the real API server: one patch each, and nothing more ever.

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createKubernetesExecutor } from "../../src/executors/kubernetes-executor.ts";
import { UNMONITORED } from "../../src/executors/kubernetes-monitor.ts";
import type { RequestRecord } from "../../src/kubernetes/http.ts";
import { LABELS } from "../../src/kubernetes/pod-labels.ts";
import { getPod } from "../../src/kubernetes/pods.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import type { Service } from "../../src/lifecycle/service.ts";
import {
  call,
  connect,
  createNamespace,
  createRecordingLedger,
  kubeconfigPath,
  makeOrder,
  quiet,
  type RecordingLedger,
  running,
  setStatus,
  terminated,
  UNSCHEDULED,
} from "../support/api-server.ts";

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

function makeExecutor(
  ledger: RecordingLedger,
  installationId: string,
  onRequest: (record: RequestRecord) => void = () => {},
) {
  const executor = createKubernetesExecutor({
    cluster: { kubeconfigPath: kubeconfigPath() },
    namespaces: [namespace],
    defaultNamespace: namespace,
    image: "registry.example/windlass:1",
    apiUrl: "http://windlass-api:8080",
    template: UNSCHEDULED,
    installationId,
    holder: randomUUID(),
    ledger,
    clock: systemClock,
    log: quiet,
    monitor: { ...UNMONITORED, onRequest },
  });
  started.push(executor);
  return executor;
}

test("a pod is kept once it has ended, with its marks, and stays when the installation sweeps", async () => {
  const ledger = createRecordingLedger();
  const installationId = randomUUID();
  const executor = makeExecutor(ledger, installationId);
  const order = makeOrder(namespace);
  const result = await executor.launch(order);
  if (result.kind !== "launched") throw new Error(JSON.stringify(result));
  const handle = { ...order, pod_uid: result.pod_uid };
  await setStatus(http, namespace, order.pod_name, running);
  expect(await executor.keep?.(handle)).toBe("running");
  await setStatus(http, namespace, order.pod_name, terminated(1));
  expect(await executor.keep?.({ ...handle, pod_uid: randomUUID() })).toBe("gone");
  expect(await executor.keep?.(handle)).toBe("kept");
  expect(await executor.keep?.(handle)).toBe("kept");
  // Nobody expects it, so a list that held it would sweep it.
  const requests: RequestRecord[] = [];
  await makeExecutor(ledger, installationId, (record) => requests.push(record)).start();
  await expect.poll(() => requests.some(({ verb, code }) => verb === "watch" && code === 200)).toBe(true);
  const pod = await getPod(http, namespace, order.pod_name);
  expect(pod.labels[LABELS.keptBy]).toBe(installationId);
  expect(pod.labels[LABELS.installation]).toBeUndefined();
  expect(await executor.remove(handle)).toBe("going");
  await expect.poll(() => executor.keep?.(handle)).toBe("gone");
});

test("kept pods cost a restart nothing, however many there are", async () => {
  const ledger = createRecordingLedger();
  const installationId = randomUUID();
  const executor = makeExecutor(ledger, installationId);
  const orders = Array.from({ length: 600 }, () => makeOrder(namespace));
  for (let at = 0; at < orders.length; at += 30) {
    await Promise.all(
      orders.slice(at, at + 30).map(async (order) => {
        await executor.launch(order);
        await setStatus(http, namespace, order.pod_name, terminated(0));
        await executor.keep?.({ ...order, pod_uid: null });
      }),
    );
  }
  const requests: RequestRecord[] = [];
  await makeExecutor(ledger, installationId, (record) => requests.push(record)).start();
  await expect.poll(() => requests.some(({ verb, code }) => verb === "watch" && code === 200)).toBe(true);
  const calls = requests.filter(({ resource }) => resource === "pods").map(({ verb }) => verb);
  expect(calls).toEqual(["list", "watch"]);
  expect(ledger.observations).toEqual([]);
});
