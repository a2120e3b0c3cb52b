// What a worker says of itself, beside the task's log: whoever reads its stderr sees it.

import { writeSync } from "node:fs";

/** Straight to the descriptor: a thread's own stderr goes through the main thread, which may be blocked. */
export function say(text: string): void {
  try {
    writeSync(2, `windlass worker: ${text}\n`);
  } catch {
    // Nobody reads stderr; the exit code says enough.
  }
}
