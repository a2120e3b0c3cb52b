// Looks at a namespace's pods, without Windlass between.

import type { KubernetesHttp } from "../../../src/kubernetes/http.ts";
import { listPods } from "../../../src/kubernetes/pods.ts";
import type { PodView } from "../../../src/kubernetes/pod-view.ts";
import { call } from "../../support/api-server.ts";
import { pollUntil } from "./poll.ts";

export async function listAllPods(http: KubernetesHttp, namespace: string): Promise<PodView[]> {
  const pages = await Array.fromAsync(listPods(http, namespace, { selector: "" }));
  return pages.flatMap((page) => page.pods);
}

export async function waitForNoPods(http: KubernetesHttp, namespace: string, limitMs = 60_000): Promise<void> {
  await pollUntil(
    () => listAllPods(http, namespace),
    (pods) => pods.length === 0,
    (pods) =>
      `these pods are left in ${namespace}: ${pods.map((pod) => `${pod.name} (${pod.snapshot.phase})`).join(", ")}`,
    limitMs,
  );
}

/** Its objects go with it, in the cluster's own time. */
export async function deleteNamespace(http: KubernetesHttp, namespace: string): Promise<void> {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
}
