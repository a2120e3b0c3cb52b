// A port for a program that cannot be told to choose one itself. It is free when it is chosen; another may take it first.

import { createServer } from "node:net";

/** @param host null: all of this machine's addresses */
export function findFreePort(host: string | null = "127.0.0.1"): Promise<number> {
  return new Promise((found, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ port: 0, ...(host === null ? {} : { host }) }, () => {
      const address = probe.address();
      probe.close(() => found(typeof address === "object" && address ? address.port : 0));
    });
  });
}
