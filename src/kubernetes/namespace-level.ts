// A namespace and its Pod Security level, as far as the credentials may see them.

import type { KubernetesHttp } from "./http.ts";
import { isForbidden, isNotFound } from "./kubernetes-error.ts";
import { objectAt, textsAt } from "./read-json.ts";

const ENFORCE_LABEL = "pod-security.kubernetes.io/enforce";

export type NamespaceView =
  | { kind: "seen"; /** null: no label, so the cluster's default counts. */ level: string | null }
  | { kind: "missing" }
  /** A Role of a namespace need not allow to read the namespace itself. */
  | { kind: "hidden" };

export async function readNamespace(http: KubernetesHttp, namespace: string): Promise<NamespaceView> {
  try {
    const answer = await http.call({
      method: "GET",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}`,
      verb: "get",
      resource: "namespaces",
      namespace: null,
    });
    return { kind: "seen", level: textsAt(objectAt(answer, "metadata"), "labels")[ENFORCE_LABEL] ?? null };
  } catch (error) {
    if (isForbidden(error)) return { kind: "hidden" };
    if (isNotFound(error)) return { kind: "missing" };
    throw error;
  }
}
