// What the containers of attempts without a worker write, out of the API server.

import type { LogPosition } from "../core/log-position.ts";
import { findMain, MAIN_CONTAINER } from "../core/pod-snapshot.ts";
import { followPodLog } from "../kubernetes/follow-log.ts";
import type { KubernetesHttp } from "../kubernetes/http.ts";
import { isNotFound } from "../kubernetes/kubernetes-error.ts";
import { ANNOTATIONS } from "../kubernetes/pod-labels.ts";
import { readPodLog } from "../kubernetes/pod-log.ts";
import { getPod } from "../kubernetes/pods.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { ContainerLog, ContainerLogPart, Handle } from "./executor.ts";

export interface LogSource {
  http: KubernetesHttp;
  clock: Clock;
  defaultNamespace: string;
  signal: AbortSignal;
}

/** Null when there is none: the pod is gone or another's, or its container never ran. */
export async function readContainerLog(source: LogSource, handle: Handle): Promise<ContainerLog | null> {
  return whereItRan(source, handle, () => readPodLog({ ...source, ...placeOf(source, handle) }));
}

export async function followContainerLog(
  source: LogSource,
  handle: Handle,
  from: LogPosition,
  ended: boolean,
): Promise<ContainerLogPart | null> {
  const follow = () => followPodLog({ ...source, ...placeOf(source, handle), from, ended });
  // The name is the attempt's own: whoever else may have taken it is told apart at the start and at the end.
  if (from.since !== null && !ended) return unlessGone(follow);
  return whereItRan(source, handle, follow);
}

function placeOf({ defaultNamespace }: LogSource, { namespace, pod_name }: Handle) {
  return { namespace: namespace ?? defaultNamespace, pod: pod_name, container: MAIN_CONTAINER };
}

async function whereItRan<T>(source: LogSource, handle: Handle, read: () => Promise<T>): Promise<T | null> {
  return unlessGone(async () => {
    const { namespace, pod: name } = placeOf(source, handle);
    const pod = await getPod(source.http, namespace, name, source.signal);
    if (pod.annotations[ANNOTATIONS.attempt] !== handle.attempt_id) return null;
    const main = findMain(pod.snapshot);
    return main === undefined || main.state.kind === "waiting" ? null : read();
  });
}

async function unlessGone<T>(act: () => Promise<T>): Promise<T | null> {
  try {
    return await act();
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
