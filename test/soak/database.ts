// A real Postgres that keeps what it has committed, may be killed and started again, and is reached under one address
// through proxies, whatever its port is at the time.

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/cli/embedded-postgres.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createDatabase, migrateDatabase } from "../support/postgres-database.ts";

const START_TRIES = 20;

export interface SoakDatabase {
  /** Of the soak's database, straight; changes with every start. */
  url(): string;
  port(): number;
  /** The same through the proxy at this port. */
  through(port: number): string;
  /** Sessions are cut, nothing committed is lost; back when it resolves. */
  restart(how: "fast" | "kill", pauseMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startDatabase(folder: string): Promise<SoakDatabase> {
  await mkdir(folder, { recursive: true });
  const start = async (): Promise<EmbeddedPostgres> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await startEmbeddedPostgres({ folder, durable: true, maxConnections: 200 });
      } catch (error) {
        // What a killed server leaves behind holds its memory for a moment.
        if (tries === START_TRIES) throw error;
        await systemClock.sleep(500);
      }
    }
  };
  let server = await start();
  const { url: first } = await createDatabase(server.url, "template0");
  await migrateDatabase(first);
  const name = new URL(first).pathname;
  const address = (port: number) => {
    const url = new URL(server.url);
    url.pathname = name;
    url.port = String(port);
    return url.href;
  };
  const port = () => Number(new URL(server.url).port);
  return {
    url: () => address(port()),
    port,
    through: address,
    restart: async (how, pauseMs) => {
      if (how === "fast") await server.stop();
      else {
        const [pid] = (await readFile(join(folder, "postgres", "postmaster.pid"), "utf8")).split("\n");
        process.kill(Number(pid), "SIGKILL");
      }
      await systemClock.sleep(pauseMs);
      server = await start();
    },
    stop: () => server.stop(),
  };
}
