// Runs a program to its end, for tests of what people type.

import { execFile } from "node:child_process";

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Whatever its exit code. Rejects when there is no such program. */
export function runCommand(program: string, args: readonly string[], input = ""): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number")
        reject(new Error(`${program} did not run to its end`, { cause: error }));
      else resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** Its stdout. Rejects with all it wrote when the exit code is not 0. */
export async function mustRun(program: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(program, args, input);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}
