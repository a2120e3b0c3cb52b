// A TCP proxy that can do to connections what networks do: cut them, swallow every byte, be slow, count.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface FaultProxy {
  port: number;
  /** Connections accepted since the start, and the most that were open at once. */
  accepted(): number;
  mostOpen(): number;
  open(): number;
  /** Resets every open connection. */
  cut(): void;
  /** Open connections stay open and say nothing more, without FIN or RST; new ones work. */
  blackHole(): void;
  /** New connections are reset at once while true. */
  refuse(on: boolean): void;
  /** Every chunk waits this long. */
  slow(ms: number): void;
  /** The next bytes from the server that follow a request are dropped and the connection is cut: a lost answer. */
  loseNextAnswer(): void;
  close(): Promise<void>;
}

/** @param port asked for each connection when it is a function: of a server that moves, or of one among several */
export async function startFaultProxy(host: string, port: number | (() => number)): Promise<FaultProxy> {
  const pairs = new Set<{ near: Socket; far: Socket; swallow: boolean }>();
  let accepted = 0;
  let mostOpen = 0;
  let refusing = false;
  let delayMs = 0;
  let losing = false;

  const server = createServer((near) => {
    accepted += 1;
    near.on("error", () => near.destroy());
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(typeof port === "number" ? port : port(), host);
    const pair = { near, far, swallow: false };
    let asked = false;
    pairs.add(pair);
    mostOpen = Math.max(mostOpen, pairs.size);
    far.on("error", () => near.destroy());
    const pass = (to: Socket) => async (chunk: Buffer) => {
      if (delayMs > 0) await delay(delayMs);
      if (!pair.swallow && !to.destroyed) to.write(chunk);
    };
    near.on("data", (chunk: Buffer) => {
      if (losing) asked = true;
      void pass(far)(chunk);
    });
    far.on("data", (chunk: Buffer) => {
      if (losing && asked && isApplicationData(chunk)) {
        losing = false;
        near.resetAndDestroy();
        far.destroy();
        return;
      }
      void pass(near)(chunk);
    });
    near.on("end", () => pair.swallow || far.end());
    far.on("end", () => pair.swallow || near.end());
    near.on("close", () => {
      pairs.delete(pair);
      far.destroy();
    });
    far.on("close", () => pair.swallow || near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    mostOpen: () => mostOpen,
    open: () => pairs.size,
    cut: () => {
      for (const { near } of pairs) near.resetAndDestroy();
    },
    blackHole: () => {
      for (const pair of pairs) pair.swallow = true;
    },
    refuse: (on) => {
      refusing = on;
    },
    slow: (ms) => {
      delayMs = ms;
    },
    loseNextAnswer: () => {
      losing = true;
    },
    close: async () => {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}

/** A TLS record of type 23 that is longer than a session ticket's: the answer itself. */
function isApplicationData(chunk: Buffer): boolean {
  return chunk[0] === 23 && chunk.length > 600;
}
