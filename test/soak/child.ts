// A child process that cannot outlive the soak, whatever becomes of it.

import {
  type ChildProcessByStdio,
  spawn,
  type SpawnOptionsWithStdioTuple,
  type StdioNull,
  type StdioPipe,
} from "node:child_process";
import type { Readable } from "node:stream";

type Options = Omit<SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioPipe>, "stdio">;

/** Its pid is the command's own. */
export function spawnTied(
  command: string,
  args: readonly string[],
  options: Options,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn("setpriv", ["--pdeathsig=KILL", command, ...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
}
