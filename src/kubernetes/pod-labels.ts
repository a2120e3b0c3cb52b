// How a pod says whose it is. Labels are for selectors and people and may be shortened; annotations hold the raw values.

import { createHash } from "node:crypto";

export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  installation: "windlass.dev/installation",
  attempt: "windlass.dev/attempt-id",
  dag: "windlass.dev/dag-id",
  task: "windlass.dev/task-id",
  run: "windlass.dev/run-id",
  /** In place of `installation` on pods that are kept: the watch selects them no more. */
  keptBy: "windlass.dev/kept-by",
} as const;

export const ANNOTATIONS = {
  attempt: "windlass.dev/attempt-id",
  epoch: "windlass.dev/epoch",
  dag: "windlass.dev/dag-id",
  task: "windlass.dev/task-id",
  run: "windlass.dev/run-id",
  mapIndex: "windlass.dev/map-index",
  tryNumber: "windlass.dev/try-number",
  /** On pods without our worker: the exit codes that skip the task, separated by commas, often none. */
  skipOnExitCodes: "windlass.dev/skip-on-exit-codes",
  /** On pods whose result is delivered by a helper. */
  resultFile: "windlass.dev/result-file",
} as const;

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const HASH_DIGITS = 10;

/** A valid label value; one that had to be changed ends in a hash of the original, so that two stay apart. */
export function labelValue(raw: string): string {
  if (LABEL.test(raw)) return raw;
  const hash = createHash("sha256").update(raw).digest("hex").slice(0, HASH_DIGITS);
  const readable = raw
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .slice(0, 63 - HASH_DIGITS - 1)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  return readable === "" ? hash : `${readable}-${hash}`;
}

/** Selects all pods of one installation. */
export function installationSelector(installationId: string): string {
  return `${LABELS.installation}=${labelValue(installationId)}`;
}
