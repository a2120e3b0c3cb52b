// One of the product's processes as it runs in production: `bin/windlass ROLE`, its log captured, ready when it says so.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../../bin/windlass", import.meta.url));
const START_LIMIT_MS = 30_000;

export interface Process {
  readonly pid: number;
  /** All that it has written to stdout and stderr so far. */
  log(): string;
  /** Resolves with the first line, past or future, that holds the text; rejects when the process ends before. */
  waitForLine(text: string): Promise<string>;
  /** SIGTERM; resolves with the exit code once it has ended. */
  stop(): Promise<number | null>;
  /** kill -9; resolves once it is gone. */
  kill(): Promise<void>;
}

/** @param ready text of the log line that says it works */
export async function startProcess(
  args: readonly string[],
  env: Record<string, string>,
  ready: string,
): Promise<Process> {
  const child = spawn(COMMAND, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  exited.catch(() => {});
  const lines = collectLines(child);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${COMMAND} does not start`);

  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  };
  const running: Process = {
    pid,
    log: () => lines.all().join("\n"),
    waitForLine: (text) => lines.waitFor(text),
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL").then(() => {}),
  };
  const impatient = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
  try {
    await running.waitForLine(ready);
  } catch (error) {
    throw new Error(`windlass ${args.join(" ")} did not get ready:\n${running.log()}`, { cause: error });
  } finally {
    clearTimeout(impatient);
  }
  return running;
}

function collectLines(child: ChildProcess) {
  const complete: string[] = [];
  const waiting = new Set<{ text: string; resolve: (line: string) => void; reject: (error: Error) => void }>();
  const add = (line: string) => {
    complete.push(line);
    for (const waiter of waiting) {
      if (!line.includes(waiter.text)) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  };
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) add(line);
    });
  }
  let ended = false;
  child.once("close", () => {
    ended = true;
    for (const { text, reject } of waiting) reject(new Error(`the process ended without the line "${text}"`));
    waiting.clear();
  });
  return {
    all: () => complete,
    waitFor: (text: string) =>
      new Promise<string>((resolve, reject) => {
        const found = complete.find((line) => line.includes(text));
        if (found !== undefined) resolve(found);
        else if (ended) reject(new Error(`the process ended without the line "${text}"`));
        else waiting.add({ text, resolve, reject });
      }),
  };
}
