// What the API server, or the way to it, answered in place of a result. Errors are told apart by code, reason and causes.
// The one exception is quota: Kubernetes answers 403 Forbidden for "exceeded quota" and for a missing permission alike,
// and only the message tells them apart.

/** The answer of a proxy in between: whatever its code, it says nothing of what was asked for. */
export const FOREIGN = "Foreign";

export interface KubernetesCause {
  reason: string;
  field: string | null;
  message: string;
}

export interface KubernetesError extends Error {
  /** HTTP status, or the code inside a watch's ERROR event; 0: there was no answer. */
  code: number;
  /** Status.reason, or for calls without an answer: Unreachable, Timeout, ConnectionLost, Malformed; FOREIGN. */
  reason: string;
  causes: KubernetesCause[];
  /** What the server asked to wait. */
  retryAfterMs: number | null;
  /** The call may have taken effect. */
  uncertain: boolean;
  /** What was asked for, e.g. "create pods in namespace default". */
  action: string;
}

export interface KubernetesErrorInput {
  code: number;
  reason: string;
  message: string;
  action: string;
  causes?: KubernetesCause[];
  retryAfterMs?: number | null;
  uncertain?: boolean;
  cause?: unknown;
}

export function kubernetesError(input: KubernetesErrorInput): KubernetesError {
  const error = new Error(
    `cannot ${input.action}: ${input.message}`,
    input.cause === undefined ? {} : { cause: input.cause },
  );
  return Object.assign(error, {
    name: "KubernetesError",
    code: input.code,
    reason: input.reason,
    causes: input.causes ?? [],
    retryAfterMs: input.retryAfterMs ?? null,
    uncertain: input.uncertain ?? false,
    action: input.action,
  });
}

export function isKubernetesError(error: unknown): error is KubernetesError {
  return error instanceof Error && error.name === "KubernetesError" && "uncertain" in error;
}

/** The object is not there. A proxy that knows no such page says nothing of it. */
export function isNotFound(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 404 && error.reason !== FOREIGN;
}

export function isAlreadyExists(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 409 && error.reason === "AlreadyExists";
}

/** Another write came between, or a precondition does not hold. */
export function isConflict(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 409 && !["AlreadyExists", FOREIGN].includes(error.reason);
}

/** The object of that name is not the one whose uid was given: a patch would have to change it. */
export function isOtherUid(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 422 && error.causes.some(({ field }) => field === "metadata.uid");
}

/** The resource version is out of the server's history; "Gone" up to Kubernetes 1.17, "Expired" since. */
export function isGone(error: unknown): boolean {
  return isKubernetesError(error) && (error.code === 410 || error.reason === "Expired" || error.reason === "Gone");
}

export function isForbidden(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 403 && error.reason !== FOREIGN && !isQuota(error);
}

/** Only the text tells: see the head of this file. */
export function isQuota(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 403 && error.message.includes("exceeded quota");
}

/** By RBAC, and not by admission as Pod Security is; only the text tells the two 403 apart. */
export function isPermissionMissing(error: unknown): boolean {
  return isForbidden(error) && isKubernetesError(error) && / cannot \w+ resource /.test(error.message);
}

/** A namespace's service accounts come a moment after it; only the text tells this 403 from a missing permission. */
export function isServiceAccountMissing(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 403 && error.message.includes("error looking up service account");
}

/** Admission ended before anything was made, and only the text tells that no fault or load of the server's own is the cause. */
export function isWebhookDown(error: unknown): boolean {
  return isKubernetesError(error) && error.code >= 500 && error.message.includes("failed calling webhook");
}

export function isInvalid(error: unknown): boolean {
  return isKubernetesError(error) && (error.code === 422 || error.code === 400 || error.code === 413);
}

/** The server asks for less. */
export function isThrottled(error: unknown): boolean {
  return isKubernetesError(error) && error.code === 429;
}

/**
 * Likely to go away by itself: no answer, credentials in rotation, throttled, a fault on the server's side, or a proxy's
 * word, but for that on the size.
 */
export function isTransient(error: unknown): boolean {
  if (!isKubernetesError(error)) return false;
  if (error.reason === FOREIGN && error.code !== 413) return true;
  return error.code === 0 || error.code === 401 || error.code === 408 || error.code === 429 || error.code >= 500;
}
