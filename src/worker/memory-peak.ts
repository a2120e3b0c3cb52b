// The most memory that this container has used, as the kernel counts it for the container's limit.

import { readFileSync } from "node:fs";

/** cgroup v2 (from Linux 5.19 on), then v1, as a container sees its own. */
const FILES = ["/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"];

/** Bytes; null: the kernel does not say. */
export function readMemoryPeak(files: readonly string[] = FILES): number | null {
  for (const file of files) {
    const bytes = readCount(file);
    if (bytes !== null) return bytes;
  }
  return null;
}

function readCount(file: string): number | null {
  let text;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch {
    // Whatever keeps it from being read: the task must not suffer from it.
    return null;
  }
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  return count > 0 && Number.isSafeInteger(count) ? count : null;
}
