// One of the installation's processes through all its lives: started as in production, started again when it ends, as a
// Deployment would. An end that no fault meant is a crash.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { spawnTied } from "./child.ts";

const COMMAND = fileURLToPath(new URL("../../bin/windlass", import.meta.url));
const RESTART_MS = 500;
const LAST_LINES = 15;

export interface Crash {
  name: string;
  at: number;
  detail: string;
}

export interface Member {
  name: string;
  pid(): number | null;
  /** Counts its lives from 1. */
  generation(): number;
  /** Whether its newest life has said that it works. */
  ready(): boolean;
  waitUntilReady(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** kill -9, and a new life after the pause. */
  kill(pauseMs: number): Promise<void>;
  /** SIGTERM and a new life, as in a roll-out. */
  roll(): Promise<void>;
  stop(): Promise<void>;
}

export interface MemberOptions {
  name: string;
  role: string;
  env: Record<string, string>;
  readyLine: string;
  logFile: string;
  onCrash: (crash: Crash) => void;
  /** It ended before it worked, for want of what it needs; it is started again. */
  onRefused: (name: string) => void;
}

interface Life {
  child: ChildProcess;
  ended: Promise<unknown>;
  ready: boolean;
  intended: boolean;
  lines: string[];
}

export function startMember(options: MemberOptions): Member {
  const { name } = options;
  const output = createWriteStream(options.logFile, { flags: "a" });
  let life: Life | null = null;
  let lives = 0;
  let stopped = false;
  const waiters: (() => void)[] = [];

  const begin = () => {
    if (stopped) return;
    lives += 1;
    output.write(`--- life ${lives}\n`);
    const child = spawnTied(COMMAND, [options.role], { env: options.env });
    const current: Life = { child, ended: once(child, "close"), ready: false, intended: false, lines: [] };
    life = current;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output.write(text);
        current.lines = [...current.lines, ...text.split("\n").filter(Boolean)].slice(-LAST_LINES);
        if (current.ready || !text.includes(options.readyLine)) return;
        current.ready = true;
        for (const wake of waiters.splice(0)) wake();
      });
    }
    child.once("close", (code, signal) => {
      if (current.intended || stopped) return;
      const detail = `ended with ${signal ?? `code ${code}`}: ${current.lines.join("\n    ")}`;
      if (current.ready) options.onCrash({ name, at: Date.now(), detail });
      else options.onRefused(name);
      setTimeout(begin, RESTART_MS);
    });
  };

  const end = async (signal: NodeJS.Signals): Promise<Life | null> => {
    const current = life;
    if (!current) return null;
    current.intended = true;
    current.child.kill(signal);
    // A process that is stopped ends only when it goes on.
    if (signal !== "SIGKILL") current.child.kill("SIGCONT");
    await current.ended;
    return current;
  };

  const endWell = async () => {
    const wasReady = life?.ready === true;
    const ended = await end("SIGTERM");
    const { exitCode = null, signalCode = null } = ended?.child ?? {};
    if (!wasReady || exitCode === 0) return;
    const detail = `ended with ${signalCode ?? `code ${exitCode}`} on SIGTERM: ${ended?.lines.join("\n    ")}`;
    options.onCrash({ name, at: Date.now(), detail });
  };

  begin();
  return {
    name,
    pid: () => (life?.child.exitCode === null && life.child.signalCode === null ? (life.child.pid ?? null) : null),
    generation: () => lives,
    ready: () => life?.ready ?? false,
    waitUntilReady: async () => {
      while (!life?.ready) await new Promise<void>((wake) => waiters.push(wake));
    },
    signal: (signal) => void life?.child.kill(signal),
    kill: async (pauseMs) => {
      await end("SIGKILL");
      await systemClock.sleep(pauseMs);
      begin();
    },
    roll: async () => {
      await endWell();
      begin();
    },
    stop: async () => {
      stopped = true;
      await endWell();
      output.end();
    },
  };
}
