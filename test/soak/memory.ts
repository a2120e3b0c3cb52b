// Resident memory of each process, a life at a time: whether it grows after the start is over.

import { readFile } from "node:fs/promises";
import type { Violation } from "./checks.ts";
import type { Member } from "./member.ts";

const WARM_UP_MS = 45_000;
/** Lives shorter than this after their start say nothing. */
const SHORTEST_MS = 90_000;
/** What the collector may leave lying around: growth below it is none. */
const SLACK_MB = 40;

export interface MemorySample {
  at: number;
  mb: number;
}

/** By process and life, e.g. "api-1 #2". */
export type MemorySamples = Map<string, MemorySample[]>;

export async function sampleMemory(members: readonly Member[], samples: MemorySamples): Promise<void> {
  for (const member of members) {
    const pid = member.pid();
    if (pid === null || !member.ready()) continue;
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const kb = /VmRSS:\s+(\d+)/.exec(status)?.[1];
    if (kb === undefined) continue;
    const name = `${member.name} #${member.generation()}`;
    const list = samples.get(name) ?? [];
    list.push({ at: Date.now(), mb: Number(kb) / 1024 });
    samples.set(name, list);
  }
}

export interface Growth {
  name: string;
  seconds: number;
  /** Medians of the first and the last third after the start. */
  from_mb: number;
  to_mb: number;
}

export function measureGrowth(samples: MemorySamples): Growth[] {
  return [...samples].flatMap(([name, list]): Growth[] => {
    const [first] = list;
    if (!first) return [];
    const warm = list.filter(({ at }) => at - first.at >= WARM_UP_MS);
    const [begin, end] = [warm[0], warm.at(-1)];
    if (!begin || !end || end.at - begin.at < SHORTEST_MS) return [];
    const third = Math.floor(warm.length / 3);
    const seconds = Math.round((end.at - begin.at) / 1_000);
    return [{ name, seconds, from_mb: median(warm.slice(0, third)), to_mb: median(warm.slice(-third)) }];
  });
}

export function checkMemory(growths: readonly Growth[]): Violation[] {
  return growths
    .filter(({ from_mb, to_mb }) => to_mb - from_mb > SLACK_MB)
    .map(({ name, seconds, from_mb, to_mb }) => ({
      rule: "memory",
      subject: name,
      detail: `grew from ${from_mb.toFixed(0)} to ${to_mb.toFixed(0)} MB within ${seconds} s`,
    }));
}

function median(samples: readonly MemorySample[]): number {
  const sorted = samples.map(({ mb }) => mb).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
