// A second node that is always ready and takes no pods. When every node of a cluster is silent, the node controller takes
// it that it is itself cut off, and no pod has to leave; so that one node can be lost, there must be another.

import type { KubernetesHttp } from "../../../src/kubernetes/http.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { call } from "../../support/api-server.ts";

const NAME = "windlass-test-spare";
const HEARTBEAT_MS = 5_000;

export interface SpareNode {
  stop(): Promise<void>;
}

export async function keepSpareNode(http: KubernetesHttp): Promise<SpareNode> {
  const stopping = new AbortController();
  const beat = async () => {
    const now = new Date().toISOString();
    const ready = { type: "Ready", status: "True", reason: "Spare", lastHeartbeatTime: now, lastTransitionTime: now };
    await call(http, "PATCH", `/api/v1/nodes/${NAME}/status`, { status: { conditions: [ready] } });
  };
  const taints = [{ key: "windlass.dev/spare", effect: "NoSchedule" }];
  await call(http, "POST", "/api/v1/nodes", { metadata: { name: NAME }, spec: { taints } });
  await beat();
  const beating = (async () => {
    while (!stopping.signal.aborted) {
      await systemClock.sleep(HEARTBEAT_MS, stopping.signal);
      if (!stopping.signal.aborted) await beat();
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await beating;
      await call(http, "DELETE", `/api/v1/nodes/${NAME}`);
    },
  };
}
