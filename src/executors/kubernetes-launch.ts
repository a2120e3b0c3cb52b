// One launch: a create that may be repeated. The pod's name is the attempt's own, so a create whose answer was lost is
// repeated as it is, and finding the pod there already is as good as having made it, provided that it carries our mark.

import { isFailure, messageOf } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { KubernetesHttp } from "../kubernetes/http.ts";
import {
  isAlreadyExists,
  isConflict,
  isInvalid,
  isKubernetesError,
  isNotFound,
  isPermissionMissing,
  isQuota,
  isServiceAccountMissing,
  isThrottled,
  isTransient,
  isWebhookDown,
  type KubernetesError,
} from "../kubernetes/kubernetes-error.ts";
import { describeMissing } from "../kubernetes/permissions.ts";
import { ANNOTATIONS } from "../kubernetes/pod-labels.ts";
import type { PodView } from "../kubernetes/pod-view.ts";
import { createPod, getPod } from "../kubernetes/pods.ts";
import { backoffDelay, type BackoffPolicy } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { LaunchOrder, LaunchResult } from "./executor.ts";

// A slow server is asked again later, by whichever scheduler is free then.
const BUDGET_MS = 45_000;
const MAX_CREATES = 4;
const REPEAT_BACKOFF: BackoffPolicy = { initialMs: 200, maxMs: 2_000, factor: 2 };
const TERMINATING_RETRY_MS = 2_000;

export interface LaunchContext {
  http: KubernetesHttp;
  clock: Clock;
  signal: AbortSignal;
  /** See Executor.launch. */
  isOurs: () => boolean;
  /** The namespace takes no pods for now: its quota is used up, or a webhook does not answer. */
  onQuota: () => void;
}

/** @param buildManifest rejects with `invalid_configuration` for a pod that can never be */
export async function launchPod(
  context: LaunchContext,
  order: LaunchOrder,
  namespace: string,
  buildManifest: () => Promise<JsonObject>,
): Promise<LaunchResult> {
  let manifest: JsonObject;
  try {
    manifest = await buildManifest();
  } catch (error) {
    if (isFailure(error, "invalid_configuration")) return { kind: "refused", reason: error.message };
    throw error;
  }
  const began = context.clock.monotonic();
  for (let creates = 1; ; creates += 1) {
    // Its attempt may have ended since, and been cleaned up: a new container would run it once more.
    if (!context.isOurs()) {
      return { kind: "retry", reason: "The scheduler could not renew its claim in time", retry_after_ms: null };
    }
    try {
      const pod = await createPod(context.http, namespace, manifest, context.signal);
      return { kind: "launched", pod_uid: pod.uid };
    } catch (error) {
      if (context.signal.aborted) {
        return { kind: "retry", reason: "The process that launched it was stopped", retry_after_ms: null };
      }
      const verdict = await judgeCreate(context, order, namespace, error);
      const late = context.clock.monotonic() - began > BUDGET_MS / 2;
      if (verdict.kind !== "repeat") return verdict;
      if (creates >= MAX_CREATES || late || context.signal.aborted) {
        return { kind: "retry", reason: verdict.reason, retry_after_ms: null };
      }
      await context.clock.sleep(backoffDelay(REPEAT_BACKOFF, creates), context.signal);
    }
  }
}

/** repeat: the same create at once, because it may have taken effect or met a passing obstacle. */
type Verdict = LaunchResult | { kind: "repeat"; reason: string };

async function judgeCreate(
  context: LaunchContext,
  order: LaunchOrder,
  namespace: string,
  error: unknown,
): Promise<Verdict> {
  if (isAlreadyExists(error)) return adopt(context, order, namespace);
  if (isQuota(error) || isWebhookDown(error)) context.onQuota();
  return judgeFailure(error, namespace);
}

async function adopt(context: LaunchContext, order: LaunchOrder, namespace: string): Promise<Verdict> {
  let pod: PodView;
  try {
    pod = await getPod(context.http, namespace, order.pod_name, context.signal);
  } catch (error) {
    if (isNotFound(error))
      return { kind: "repeat", reason: `The pod ${order.pod_name} was removed while it was launched` };
    return judgeFailure(error, namespace);
  }
  const owner = pod.annotations[ANNOTATIONS.attempt];
  if (owner !== order.attempt_id) {
    return {
      kind: "refused",
      reason: `A pod named ${order.pod_name} exists in namespace "${namespace}" and belongs to ${owner === undefined ? "someone else" : `attempt ${owner}`}; delete it`,
    };
  }
  if (pod.deleting) {
    return {
      kind: "retry",
      reason: `A pod named ${order.pod_name} is still being deleted`,
      retry_after_ms: TERMINATING_RETRY_MS,
    };
  }
  return { kind: "launched", pod_uid: pod.uid };
}

/** What a failed call means for the launch. */
export function judgeFailure(error: unknown, namespace: string): Verdict {
  if (!isKubernetesError(error)) {
    // Signing in failed: nothing was sent.
    return { kind: "retry", reason: `The API server cannot be reached: ${messageOf(error)}`, retry_after_ms: null };
  }
  const retry = (reason: string): Verdict => ({ kind: "retry", reason, retry_after_ms: error.retryAfterMs });
  const refuse = (reason: string): Verdict => ({ kind: "refused", reason });
  if (isQuota(error)) return retry(`The quota of namespace "${namespace}" is used up: ${error.message}`);
  if (isServiceAccountMissing(error)) return retry(`The pod's service account does not exist: ${error.message}`);
  if (isThrottled(error)) return retry(`The API server is throttling calls: ${error.message}`);
  // Two creates met at one quota object; the server says so instead of trying again itself.
  if (isConflict(error)) return { kind: "repeat", reason: `Another write came in between: ${error.message}` };
  if (isWebhookDown(error))
    return { kind: "repeat", reason: `A webhook that admits pods does not answer: ${error.message}` };
  if (error.uncertain)
    return { kind: "repeat", reason: `It is not known whether the pod was created: ${error.message}` };
  if (isTransient(error)) return retry(`The API server is not available: ${error.message}`);
  if (isInvalid(error)) return refuse(`The API server refuses the pod: ${describeFields(error)}`);
  if (isNotFound(error)) return refuse(`The namespace "${namespace}" does not exist: ${error.message}`);
  if (error.causes.some((cause) => cause.reason === "NamespaceTerminating")) {
    return refuse(`The namespace "${namespace}" is being deleted`);
  }
  const mend = isPermissionMissing(error)
    ? `; ${describeMissing(namespace, [{ verb: "create", resource: "pods" }]).advice}`
    : "";
  return refuse(`The API server forbids to ${error.action}: ${error.message}${mend}`);
}

/** The fields that a 422 names; 400 names the field in its message. */
function describeFields(error: KubernetesError): string {
  const fields = error.causes
    .filter((cause) => cause.field !== null)
    .map((cause) => `${cause.field}: ${cause.message}`);
  return fields.length === 0 ? error.message : fields.join("; ");
}
