// Removes pods of this installation that belong to no attempt: those of attempts that were cleaned or whose rows are gone,
// for example a create that took effect after its launcher had died. By uid, and only what carries our own marks.

import type { KubernetesHttp } from "../kubernetes/http.ts";
import { isConflict, isNotFound } from "../kubernetes/kubernetes-error.ts";
import { deletePod } from "../kubernetes/pods.ts";
import type { Logger } from "../lifecycle/log.ts";
import { forEachLimited } from "./for-each-limited.ts";

const CONCURRENT_CALLS = 8;
// The rest follow with the next list: a sweep must not hold the watch up.
const MAX_PER_SWEEP = 500;

export interface SweepContext {
  http: KubernetesHttp;
  log: Logger;
  namespace: string;
  signal: AbortSignal;
}

/** A pod with the mark of an attempt. */
export interface MarkedPod {
  name: string;
  uid: string;
  attempt_id: string;
}

/** A pod that cannot be removed now is left for the next sweep. */
export async function sweepPods(
  context: SweepContext,
  pods: readonly MarkedPod[],
  expected: ReadonlySet<string>,
): Promise<void> {
  const orphans = pods.filter((pod) => !expected.has(pod.attempt_id));
  await forEachLimited(orphans.slice(0, MAX_PER_SWEEP), CONCURRENT_CALLS, async (pod) => {
    try {
      await deletePod(context.http, context.namespace, pod.name, { uid: pod.uid, signal: context.signal });
      context.log.warn({ pod: pod.name, namespace: context.namespace }, "removed a pod that belongs to no attempt");
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return;
      context.log.warn({ err: error, pod: pod.name }, "cannot remove a pod that belongs to no attempt");
    }
  });
}
