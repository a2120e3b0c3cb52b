// Which cluster is this? A watch position of one cluster means nothing in another, not even under the same address.

import { createHash } from "node:crypto";
import type { KubernetesHttp } from "./http.ts";
import { isForbidden } from "./kubernetes-error.ts";
import { objectAt, textAt } from "./read-json.ts";

/** The uid of kube-system, which lives as long as its cluster; where that may not be read, a hash of address and CA. */
export async function identifyCluster(http: KubernetesHttp, signal?: AbortSignal): Promise<string> {
  try {
    const namespace = await http.call({
      method: "GET",
      path: "/api/v1/namespaces/kube-system",
      verb: "get",
      resource: "namespaces",
      namespace: null,
      ...(signal === undefined ? {} : { signal }),
    });
    const uid = textAt(objectAt(namespace, "metadata"), "uid");
    if (uid !== null) return uid;
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  const { server, tls } = await http.credentials.current();
  return createHash("sha256")
    .update(`${server}\n${tls.ca ?? ""}`)
    .digest("hex")
    .slice(0, 32);
}
