// Reads a Kubernetes Status (the body of every error, and of a watch's ERROR event) and Retry-After.

import { arrayAt, isObject, numberAt, objectAt, textAt } from "./read-json.ts";
import { FOREIGN, type KubernetesCause, type KubernetesError, kubernetesError } from "./kubernetes-error.ts";

const LONGEST_MESSAGE = 2_000;
// A server that asks for a longer pause is asked again sooner: a watch should not be blind for that long.
const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/** Delay in seconds, or an HTTP date; null when absent or senseless. */
export function parseRetryAfter(header: string | null, now: Date): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  if (header.trim() !== "" && Number.isFinite(seconds)) {
    return seconds < 0 ? null : Math.min(seconds * 1_000, LONGEST_RETRY_AFTER_MS);
  }
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now.getTime()), LONGEST_RETRY_AFTER_MS);
}

export interface AnswerOfError {
  code: number;
  body: string;
  retryAfterMs: number | null;
  action: string;
  /** The call would change something. */
  mutates: boolean;
}

/** From an HTTP answer outside 2xx; bodies of proxies are not Kubernetes' and may be HTML. */
export function errorOfAnswer(answer: AnswerOfError): KubernetesError {
  let status: unknown = null;
  try {
    status = JSON.parse(answer.body);
  } catch {
    // Not JSON: the text itself is the best message there is.
  }
  // A server that failed half way may have done the work.
  const uncertain = answer.mutates && (answer.code >= 500 || answer.code === 408);
  if (isObject(status) && status["kind"] === "Status") {
    const error = errorOfStatus(status, answer.action, answer.code);
    error.retryAfterMs = answer.retryAfterMs ?? error.retryAfterMs;
    error.uncertain = uncertain;
    return error;
  }
  return kubernetesError({
    code: answer.code,
    reason: FOREIGN,
    message: `HTTP ${answer.code} ${answer.body.replace(/\s+/g, " ").trim().slice(0, 300)}`.trim(),
    retryAfterMs: answer.retryAfterMs,
    uncertain,
    action: answer.action,
  });
}

/** From a Status object; `code` stands in when the Status has none. */
export function errorOfStatus(status: unknown, action: string, code = 0): KubernetesError {
  const details = objectAt(status, "details");
  const seconds = numberAt(details, "retryAfterSeconds");
  return kubernetesError({
    code: numberAt(status, "code") ?? code,
    reason: textAt(status, "reason") ?? "",
    message: (textAt(status, "message") ?? `HTTP ${code}`).slice(0, LONGEST_MESSAGE),
    causes: arrayAt(details, "causes").map(readCause),
    retryAfterMs: seconds === null || seconds <= 0 ? null : Math.min(seconds * 1_000, LONGEST_RETRY_AFTER_MS),
    action,
  });
}

function readCause(cause: unknown): KubernetesCause {
  return {
    reason: textAt(cause, "reason") ?? "",
    field: textAt(cause, "field"),
    message: textAt(cause, "message") ?? "",
  };
}
