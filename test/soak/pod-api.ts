// The calls of a kubelet and of a scheduler, repeated until the API server is back: what a node knows it does not forget.

import { z } from "zod";
import type { JsonObject } from "../../src/core/json.ts";
import type { KubernetesCall, KubernetesHttp } from "../../src/kubernetes/http.ts";
import { isKubernetesError } from "../../src/kubernetes/kubernetes-error.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";

const RETRY_MS = 250;
const CALL_MS = 5_000;

export const soakPod = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    deletionTimestamp: z.string().optional(),
    deletionGracePeriodSeconds: z.number().optional(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    nodeName: z.string().optional(),
    containers: z
      .array(
        z.object({
          name: z.string(),
          image: z.string(),
          command: z.array(z.string()).default([]),
          env: z.array(z.object({ name: z.string(), value: z.string().default("") })).default([]),
        }),
      )
      .min(1),
  }),
  status: z.object({ phase: z.string().default("Pending") }).default({ phase: "Pending" }),
});
export type SoakPod = z.output<typeof soakPod>;

/** false: the pod is gone, or is another one now. */
export interface PodApi {
  bind(pod: SoakPod): Promise<void>;
  setStatus(pod: SoakPod, status: JsonObject): Promise<boolean>;
  /** The kubelet's last word: nothing of it is left on the node. */
  finalize(pod: SoakPod): Promise<boolean>;
}

export function createPodApi(http: KubernetesHttp, namespace: string, node: string, signal: AbortSignal): PodApi {
  const insist = async (call: Omit<KubernetesCall, "verb" | "resource" | "namespace">): Promise<boolean> => {
    for (;;) {
      try {
        await http.call({ verb: "soak", resource: "pods", namespace, deadlineMs: CALL_MS, signal, ...call });
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (isKubernetesError(error) && [404, 409, 422].includes(error.code)) return false;
        await systemClock.sleep(RETRY_MS, signal);
      }
    }
  };
  const path = (pod: SoakPod) => `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`;
  return {
    bind: (pod) => {
      const { name, uid } = pod.metadata;
      const target = { apiVersion: "v1", kind: "Node", name: node };
      const body = { apiVersion: "v1", kind: "Binding", metadata: { name, uid }, target };
      // Bound already is what a repeat after a lost answer finds; a pod that is gone says so at the next step.
      return insist({ method: "POST", path: `${path(pod)}/binding`, body }).then(() => {});
    },
    setStatus: (pod, status) =>
      insist({
        method: "PATCH",
        path: `${path(pod)}/status`,
        contentType: "application/merge-patch+json",
        body: { metadata: { uid: pod.metadata.uid }, status },
      }),
    finalize: (pod) =>
      insist({
        method: "DELETE",
        path: path(pod),
        body: { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } },
      }),
  };
}
