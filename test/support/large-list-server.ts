// A list of pods of any size, served by a thread of its own.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

export interface LargeList {
  pods: number;
  podBytes: number;
}

export interface LargeListServer {
  url: string;
  close(): Promise<void>;
}

export async function startLargeListServer(list: LargeList): Promise<LargeListServer> {
  const thread = new Worker(new URL("./large-list-thread.ts", import.meta.url), { workerData: list });
  const [port] = (await once(thread, "message")) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => void (await thread.terminate()),
  };
}

export const podNameOf = (index: number) => `pod-${index}`;
export const attemptOf = (index: number) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`;
/** The first is of an attempt that the copies are made of. */
export const epochOf = (index: number) => index + 2;
