// Calls that got no answer: what happened on the way, and whether the server may have acted on them.

import { messageOf } from "../core/errors.ts";
import { isKubernetesError, kubernetesError } from "./kubernetes-error.ts";

// The request never left: nothing can have happened.
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

export interface LostCall {
  action: string;
  /** The call would change something. */
  mutates: boolean;
  /** Its deadline passed. */
  expired: boolean;
}

/** Errors that have nothing to do with the network come back as they are. */
export function errorOfTransport(error: unknown, call: LostCall): unknown {
  const { expired } = call;
  if (isKubernetesError(error)) return error;
  const code = codeOf(error);
  // Anything else that was thrown has nothing to do with the network: credentials, or a mistake of ours.
  if (!expired && code === null) return error;
  const neverSent = !expired && code !== null && (NEVER_SENT.has(code) || /CERT|ERR_TLS|ERR_SSL/.test(code));
  return kubernetesError({
    code: 0,
    reason: expired ? "Timeout" : neverSent ? "Unreachable" : "ConnectionLost",
    message: messageOf(error),
    uncertain: call.mutates && !neverSent,
    action: call.action,
    cause: error,
  });
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("code" in error && typeof error.code === "string") return error.code;
  // Several addresses were tried: the first one's failure speaks for all.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error.cause === undefined ? null : codeOf(error.cause);
}
