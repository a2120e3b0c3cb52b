// Calls an author's function, a sensor's or a callback, in its sealed child with the variables and connections that it
// declares and no others. They are opened for this one call, leave this process by the child's stdin alone, and are masked in
// what comes back before anybody keeps it.

import { findLackingSecret, type DeclaredSecrets } from "../core/lacking-secret.ts";
import { createMask } from "../core/mask-secrets.ts";
import type { CallRequest } from "../dags/call-answer.ts";
import { callSealed, type SealedCall } from "../dags/call-sealed.ts";
import { readTaskSecrets } from "../store/task-secrets.ts";
import type { SchedulerContext } from "./activity.ts";

/** Errors: encryption_unavailable, and unavailable when no process can be started. */
export async function callAuthor(
  { db, rules: { versions }, sealer, clock }: SchedulerContext,
  hash: string,
  declared: DeclaredSecrets,
  request: Omit<CallRequest, "secrets">,
  signal: AbortSignal,
): Promise<SealedCall> {
  const [bundle, { masked, ...secrets }] = await Promise.all([
    versions.loadBundle(db, hash),
    readTaskSecrets(db, sealer, declared),
  ]);
  const lacking = findLackingSecret(declared, secrets);
  if (lacking !== null) return failLacking(lacking);
  const { code, source_map: sourceMap } = bundle;
  return callSealed({ hash, code, sourceMap }, { ...request, secrets }, createMask(masked), clock, signal);
}

/** As a worker reports it of its task. */
function failLacking(message: string): SealedCall {
  const error = { name: "MissingSecret", message, stack: null };
  const reason = `${error.name}: ${message}`;
  return { kind: "failed", outcome: { kind: "task_failed", reason, exit_code: null, retryable: false, error } };
}
