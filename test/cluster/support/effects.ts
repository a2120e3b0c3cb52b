// The outside world that tasks act on: a small HTTP server that notes what each of them does. What ran, and how often, is
// proved by it and not by Windlass's own records.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Effect {
  task: string;
  /** The pod that acted. */
  pod: string;
  event: "begin" | "end";
}

export interface Effects {
  /** Where pods reach it. */
  readonly url: string;
  all(): readonly Effect[];
  /** Resolves once `fits` holds for what was noted so far; rejects after `limitMs`. */
  waitFor(fits: (effects: readonly Effect[]) => boolean, limitMs?: number): Promise<void>;
  /** Faults in what was noted: an attempt that ran twice, two at once, one after a success. Empty when all is well. */
  findRepeats(): string[];
  stop(): Promise<void>;
}

const LIMIT_MS = 120_000;

/** @param host this machine's address as pods reach it */
export async function startEffects(host: string): Promise<Effects> {
  const noted: Effect[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      noted.push(JSON.parse(body) as Effect);
      response.writeHead(204).end();
      for (const look of waiting) look();
    });
  });
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    all: () => noted,
    waitFor: (fits, limitMs = LIMIT_MS) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!fits(noted)) return;
          waiting.delete(look);
          clearTimeout(impatient);
          resolve();
        };
        const impatient = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`after ${limitMs / 1000} s the effects are ${JSON.stringify(noted)}`));
        }, limitMs);
        waiting.add(look);
        look();
      }),
    findRepeats: () => findRepeats(noted),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function findRepeats(effects: readonly Effect[]): string[] {
  const faults: string[] = [];
  const running = new Map<string, string>();
  const begun = new Set<string>();
  const ended = new Set<string>();
  for (const { task, pod, event } of effects) {
    if (event === "end") {
      if (ended.has(task)) faults.push(`${task} succeeded twice, the second time in ${pod}`);
      ended.add(task);
      running.delete(task);
      continue;
    }
    if (begun.has(pod)) faults.push(`${pod} ran ${task} twice`);
    if (ended.has(task)) faults.push(`${task} ran again in ${pod} after its success`);
    if (running.has(task)) faults.push(`${task} ran in ${running.get(task)} and in ${pod} at the same time`);
    begun.add(pod);
    running.set(task, pod);
  }
  return faults;
}
