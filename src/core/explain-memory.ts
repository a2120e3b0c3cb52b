// What is known of an attempt's memory, where it explains its end.

import { formatBytes, wholeMebibytes } from "./quantity.ts";
import type { AttemptSituation } from "./situation.ts";

/** The last known one: heartbeats bring it, and a kill comes between two of them. */
export function sayMemoryPeak({
  outcome,
  memory_peak: peak,
}: Pick<AttemptSituation, "outcome" | "memory_peak">): string | null {
  if (outcome !== "out_of_memory" || peak === null) return null;
  return `its last known peak was ${formatBytes(wholeMebibytes(BigInt(peak)))}`;
}
