// A Kubernetes executor on the fake API server, with a ledger that remembers: for what becomes of attempts under faults.

import { randomUUID } from "node:crypto";
import { createKubernetesExecutor, type KubernetesExecutorOptions } from "../../src/executors/kubernetes-executor.ts";
import type { Handle, LaunchOrder } from "../../src/executors/executor.ts";
import { type Clock, systemClock } from "../../src/lifecycle/clock.ts";
import { createRecordingLedger, makeOrder, quiet, type RecordingLedger, setStatus } from "./api-server.ts";
import { type FakeApiServer, startFakeApiServer, writeFakeKubeconfig } from "./fake-api-server.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import type { JsonObject } from "../../src/core/json.ts";

export interface FakeRig {
  server: FakeApiServer;
  ledger: RecordingLedger;
  /** Another executor of the same installation; all are stopped in the end. */
  makeExecutor(more?: Partial<KubernetesExecutorOptions>): ReturnType<typeof createKubernetesExecutor>;
  /** A row, then a pod, then its uid in the row; throws when it is not launched. */
  launch(executor: ReturnType<typeof createKubernetesExecutor>, order?: LaunchOrder): Promise<LaunchOrder & Handle>;
  /** What a kubelet would write. */
  setStatus(pod: string, status: JsonObject): Promise<void>;
  /** Straight to the server, past the clock. */
  http: KubernetesHttp;
  close(): Promise<void>;
}

export async function openFakeRig(clock: Clock = systemClock): Promise<FakeRig> {
  const server = await startFakeApiServer(clock);
  const ledger = createRecordingLedger();
  const installationId = randomUUID();
  const kubeconfigPath = await writeFakeKubeconfig(server);
  const made: ReturnType<typeof createKubernetesExecutor>[] = [];
  const credentials = { server: server.url, tls: {}, headers: {} };
  const http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 4,
  });
  return {
    server,
    ledger,
    http,
    makeExecutor: (more = {}) => {
      const executor = createKubernetesExecutor({
        cluster: { kubeconfigPath },
        namespaces: ["default"],
        defaultNamespace: "default",
        image: "registry.example/windlass:1",
        apiUrl: "http://windlass-api:8080",
        template: null,
        installationId,
        holder: randomUUID(),
        ledger,
        clock,
        log: quiet,
        ...more,
      });
      made.push(executor);
      return executor;
    },
    launch: async (executor, order = makeOrder("default")) => {
      ledger.expect(order, null, "launching");
      const result = await executor.launch(order);
      if (result.kind !== "launched") throw new Error(`not launched: ${JSON.stringify(result)}`);
      ledger.expect(order, result.pod_uid);
      return { ...order, pod_uid: result.pod_uid };
    },
    setStatus: (pod, status) => setStatus(http, "default", pod, status),
    close: async () => {
      await Promise.all(made.map((executor) => executor.stop()));
      await http.close();
      await server.close();
    },
  };
}
