// Ends the whole process from the supervisor thread while user code holds the main thread.

import { setFlagsFromString } from "node:v8";
import { compileFunction } from "node:vm";

export function endProcess(): void {
  process.kill(process.pid, "SIGKILL");
  // Still here: this process is PID 1 of its pod, which the kernel shields from its own SIGKILL. A trap instruction ends it
  // all the same (exit code 133); the flag lets JavaScript reach V8's.
  setFlagsFromString("--allow-natives-syntax");
  compileFunction("%SystemBreak()")();
}
