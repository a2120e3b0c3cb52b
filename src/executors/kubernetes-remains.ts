// What becomes of the pod of an ended attempt: it is removed, or kept out of everybody's way. By uid, so that no other pod of
// its name is touched.

import type { KubernetesHttp } from "../kubernetes/http.ts";
import { isConflict, isNotFound, isOtherUid } from "../kubernetes/kubernetes-error.ts";
import { ANNOTATIONS, LABELS, labelValue } from "../kubernetes/pod-labels.ts";
import type { PodView } from "../kubernetes/pod-view.ts";
import { deletePod, getPod, labelPod } from "../kubernetes/pods.ts";
import type { Handle } from "./executor.ts";

/** Throws a KubernetesError when the server cannot say. */
export async function removePod(http: KubernetesHttp, handle: Handle, namespace: string): Promise<"gone" | "going"> {
  return unlessGone(async () => {
    const uid = handle.pod_uid ?? (await findOwn(http, handle, namespace))?.uid;
    if (uid === undefined) return "gone";
    await deletePod(http, namespace, handle.pod_name, { uid });
    return "going";
  });
}

/**
 * One look and one patch for each pod in its life: without the installation's label it is in no list and no watch, so that
 * ten thousand kept pods cost a pass nothing. Throws a KubernetesError when the server cannot say.
 */
export async function keepPod(
  http: KubernetesHttp,
  handle: Handle,
  namespace: string,
  installationId: string,
): Promise<"kept" | "gone" | "running"> {
  return unlessGone(async () => {
    const pod = await findOwn(http, handle, namespace);
    if (pod === null || pod.deleting) return "gone";
    // A pod that runs on, or may yet start, holds a place on its node.
    if (pod.snapshot.phase !== "Succeeded" && pod.snapshot.phase !== "Failed") return "running";
    const labels = { [LABELS.installation]: null, [LABELS.keptBy]: labelValue(installationId) };
    await labelPod(http, namespace, pod.name, { uid: pod.uid, labels });
    return "kept";
  });
}

/** Null: the name is another's. */
async function findOwn(http: KubernetesHttp, handle: Handle, namespace: string): Promise<PodView | null> {
  const pod = await getPod(http, namespace, handle.pod_name);
  if (handle.pod_uid !== null && pod.uid !== handle.pod_uid) return null;
  return pod.annotations[ANNOTATIONS.attempt] === handle.attempt_id ? pod : null;
}

async function unlessGone<T>(act: () => Promise<T>): Promise<T | "gone"> {
  try {
    return await act();
  } catch (error) {
    // The name now belongs to another pod.
    if (isNotFound(error) || isConflict(error) || isOtherUid(error)) return "gone";
    throw error;
  }
}
