// What is known of an attempt's memory: the limit that it was given, and how much it used.

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

/** Where it was given more than its pod asks for; another attempt may have taught that too late for this one. */
export function sayGrownMemory(
  attempt: Pick<AttemptSituation, "memory_limit" | "memory_floor" | "memory_killed_at">,
): string | null {
  const { memory_limit: limit, memory_floor: floor, memory_killed_at: killedAt } = attempt;
  if (limit === null || killedAt === null || limit !== floor || limit <= killedAt) return null;
  return `it was given ${formatBytes(BigInt(limit))} of memory, because ${formatBytes(BigInt(killedAt))} was not enough`;
}
