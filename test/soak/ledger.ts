// The soak's own record of what ran, outside of Windlass: tasks post their begin and end, the kubelet adds what only it
// knows, which is when a process ended. The order of arrival is the order of events.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

const posted = z.object({
  event: z.enum(["begin", "throw", "end"]),
  worker: z.string(),
  run_id: z.string(),
  task_id: z.string(),
  try_number: z.number(),
});

type Posted = z.output<typeof posted>;

export type LedgerEntry = (Posted | Exit) & { at: number };

/** The process is gone; `accepted`: whoever judges its end has been told and has taken note of a success. */
interface Exit {
  event: "exit";
  worker: string;
  code: number;
  accepted: boolean;
}

export interface Ledger {
  url: string;
  entries(): readonly LedgerEntry[];
  /** Of containers without a worker, which the kubelet plays. */
  note(entry: Posted): void;
  noteExit(worker: string, code: number, accepted: boolean): void;
  stop(): Promise<void>;
}

export async function startLedger(): Promise<Ledger> {
  const entries: LedgerEntry[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const entry = posted.safeParse(JSON.parse(body));
      if (entry.success) entries.push({ ...entry.data, at: Date.now() });
      response.writeHead(entry.success ? 204 : 400).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    entries: () => entries,
    note: (entry) => void entries.push({ ...entry, at: Date.now() }),
    noteExit: (worker, code, accepted) => void entries.push({ event: "exit", worker, code, accepted, at: Date.now() }),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
