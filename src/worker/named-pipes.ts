// A pair of named pipes for what a process writes. Node makes sockets of "pipe", and a socket cannot be opened anew: a command
// that writes to /dev/stderr would fail.

import type { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

/** Descriptors. */
export interface OutputPair {
  stdout: number;
  stderr: number;
}

/** The second for pods whose own file system cannot be written to. */
const PLACES = [tmpdir(), "/dev/shm"];

/** Errors: what the system says about the last place that was tried. */
export function makePipes(run: typeof execFileSync): { readable: OutputPair; writable: OutputPair } {
  let fault: unknown;
  for (const place of PLACES) {
    try {
      const folder = mkdtempSync(`${place}/windlass-output-`);
      try {
        const paths = { stdout: `${folder}/stdout`, stderr: `${folder}/stderr` };
        run("mkfifo", ["-m", "600", paths.stdout, paths.stderr], { stdio: "ignore" });
        // These first: the other ends cannot be opened before someone reads.
        const readable = openPair(paths, constants.O_RDONLY | constants.O_NONBLOCK);
        return { readable, writable: openPair(paths, constants.O_WRONLY) };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

export function closePair({ stdout, stderr }: OutputPair): void {
  closeSync(stdout);
  closeSync(stderr);
}

function openPair(paths: { stdout: string; stderr: string }, flags: number): OutputPair {
  return { stdout: openSync(paths.stdout, flags), stderr: openSync(paths.stderr, flags) };
}
