// The API server that KUBECONFIG names, for tests: namespaces of their own, and a kubelet's hand on a pod's status. Nothing
// runs the pods (they ask for a scheduler that does not exist), so that the same tests pass with and without nodes.

import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../src/core/json.ts";
import type { AttemptLedger, ExpectedAttempt, LaunchOrder, Lease } from "../../src/executors/executor.ts";
import { createKubernetesHttp, type KubernetesHttp, type RequestRecord } from "../../src/kubernetes/http.ts";
import { kubeconfigCredentials } from "../../src/kubernetes/kubeconfig.ts";
import type { Observation } from "../../src/core/observation.ts";
import { podName } from "../../src/core/pod-name.ts";
import { failure } from "../../src/core/errors.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createLogger } from "../../src/lifecycle/log.ts";

export const quiet = createLogger("silent");
export const UNSCHEDULED: JsonObject = { spec: { schedulerName: "nobody" } };

export function kubeconfigPath(): string {
  const path = process.env["KUBECONFIG"];
  if (path === undefined || path === "") throw new Error("these tests need KUBECONFIG");
  return path;
}

export function connect(
  path = kubeconfigPath(),
  maxConnections = 16,
  onRequest: (record: RequestRecord) => void = () => {},
): KubernetesHttp {
  return createKubernetesHttp({
    credentials: kubeconfigCredentials({ kubeconfigPath: path }, systemClock, quiet),
    clock: systemClock,
    maxConnections,
    onRequest,
  });
}

/** The same cluster and user through another address. */
export async function kubeconfigThrough(port: number): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "kubeconfig-")), "config");
  const text = await readFile(kubeconfigPath(), "utf8");
  await writeFile(file, text.replace(/https:\/\/[^"\s,}]+/, `https://127.0.0.1:${port}`));
  return file;
}

export async function serverAddress(http: KubernetesHttp): Promise<{ host: string; port: number }> {
  const url = new URL((await http.credentials.current()).server);
  return { host: url.hostname, port: Number(url.port === "" ? 443 : url.port) };
}

export async function call(
  http: KubernetesHttp,
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
) {
  return http.call({
    method,
    path,
    verb: method.toLowerCase(),
    resource: "test",
    namespace: null,
    ...(body === undefined ? {} : { body }),
    ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {}),
  });
}

export async function createNamespace(http: KubernetesHttp): Promise<string> {
  const name = `windlass-test-${randomUUID().slice(0, 8)}`;
  await call(http, "POST", "/api/v1/namespaces", { metadata: { name } });
  // Where controllers run, this account is theirs to make; either way it must be there before the first pod.
  await call(http, "POST", `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } }).catch(
    (error: { code: number }) => {
      if (error.code !== 409) throw error;
    },
  );
  return name;
}

/** What a kubelet would write. */
export async function setStatus(
  http: KubernetesHttp,
  namespace: string,
  name: string,
  status: JsonObject,
): Promise<void> {
  await call(http, "PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, { status });
}

export const terminated = (exitCode: number, more: JsonObject = {}): JsonObject => ({
  phase: exitCode === 0 ? "Succeeded" : "Failed",
  containerStatuses: [
    {
      name: "base",
      image: "x",
      imageID: "x",
      ready: false,
      restartCount: 0,
      state: {
        terminated: { exitCode, startedAt: new Date().toISOString(), finishedAt: new Date().toISOString(), ...more },
      },
    },
  ],
});

export const running: JsonObject = {
  phase: "Running",
  containerStatuses: [
    {
      name: "base",
      image: "x",
      imageID: "x",
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
    },
  ],
};

export function makeOrder(namespace: string, more: Partial<LaunchOrder> = {}): LaunchOrder {
  const attemptId = more.attempt_id ?? randomUUID();
  return {
    attempt_id: attemptId,
    epoch: 1,
    dag_id: "sum",
    run_id: "manual__2026-01-01T00:00:00+00:00",
    task_id: "extract",
    map_index: -1,
    try_number: 1,
    namespace,
    pod_name: podName("sum", "extract", attemptId),
    pod: null,
    memory_floor: null,
    work: { kind: "worker", launch_token: "one-time" },
    ...more,
  };
}

export interface RecordingLedger extends AttemptLedger {
  observations: Observation[];
  positions: Map<string, { resource_version: string; updated_at: string }>;
  expected: Map<string, ExpectedAttempt>;
  /** Takes the lease away from whoever has it. */
  steal(): void;
  expect(order: LaunchOrder, podUid: string | null, state?: ExpectedAttempt["state"]): void;
  /** Resolves with the first observation, past or future, that fits. */
  wait(what: string, fits: (observation: Observation) => boolean): Promise<Observation>;
}

/** Remembers what an executor says; fences leases as the real one does. */
export function createRecordingLedger(): RecordingLedger {
  const observations: Observation[] = [];
  const positions: RecordingLedger["positions"] = new Map();
  const expected: RecordingLedger["expected"] = new Map();
  const leases = new Map<string, Lease>();
  let waiters: (() => void)[] = [];
  return {
    observations,
    positions,
    expected,
    steal: () => {
      for (const [name, lease] of leases)
        leases.set(name, { ...lease, holder: "thief", token: `${Number(lease.token) + 1}` });
    },
    expect: (order, podUid, state = "launched") => {
      expected.set(order.attempt_id, {
        attempt_id: order.attempt_id,
        epoch: order.epoch,
        namespace: order.namespace,
        pod_name: order.pod_name,
        pod_uid: podUid,
        state,
        launched_at: new Date().toISOString(),
      });
    },
    wait: async (what, fits) => {
      for (;;) {
        const found = observations.find(fits);
        if (found) return found;
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          new Promise<void>((resolve) => waiters.push(resolve)),
          new Promise((_, reject) => {
            timer = setTimeout(
              () => reject(new Error(`nobody observed ${what}: ${JSON.stringify(observations, null, 1)}`)),
              20_000,
            );
          }),
        ]).finally(() => clearTimeout(timer));
      }
    },
    record: async (batch) => {
      const held = batch.lease === null ? undefined : leases.get(batch.lease.name);
      if (batch.lease !== null && held?.token !== batch.lease.token) throw failure("lease_lost", "stolen");
      observations.push(...batch.observations);
      if (batch.position) {
        positions.set(batch.position.key, {
          resource_version: batch.position.resource_version,
          updated_at: new Date().toISOString(),
        });
      }
      const woken = waiters;
      waiters = [];
      for (const wake of woken) wake();
    },
    loadPosition: async (key) => positions.get(key) ?? null,
    listExpected: async () => [...expected.values()],
    acquireLease: async (name, holder) => {
      const held = leases.get(name);
      if (held !== undefined && held.holder !== holder) return null;
      const lease = held ?? { name, holder, token: "1" };
      leases.set(name, lease);
      return lease;
    },
    releaseLease: async (lease) => {
      if (leases.get(lease.name)?.token === lease.token) leases.delete(lease.name);
    },
  };
}
