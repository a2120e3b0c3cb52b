// A real Postgres of its own for a test run, in a temporary folder and without fsync.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../src/cli/embedded-postgres.ts";

export interface PostgresServer {
  /** Of the maintenance database `postgres`, as superuser. */
  url: string;
  stop(): Promise<void>;
}

// Every test file has pools of its own, and files run side by side.
const MAX_CONNECTIONS = 400;

export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-postgres-"));
  const removeFolder = async () => rm(folder, { recursive: true, force: true });
  try {
    const server = await startEmbeddedPostgres({ folder, durable: false, maxConnections: MAX_CONNECTIONS });
    const stop = async () => {
      await server.stop();
      await removeFolder();
    };
    return { url: server.url, stop };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
