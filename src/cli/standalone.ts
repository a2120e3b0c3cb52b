// Everything on one machine: an embedded Postgres, the API, the scheduler with the local executor, in one process. Killed at
// any instant, it goes on at the next start from what Postgres holds; tasks are processes of their own and live through it.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { styleText } from "node:util";
import { digestPassword } from "../api/authentication.ts";
import { isLoopbackName } from "../api/loopback-guard.ts";
import type { ApiOptions } from "../api/server.ts";
import { failure, messageOf } from "../core/errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { migrate } from "../store/migrate.ts";
import { composeApi, composeScheduler, openStore, type Role } from "./compose.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { MIGRATIONS } from "./installation.ts";

const DATABASE = "windlass";
const MAX_CONNECTIONS = 100;

export interface Standalone extends Service {
  /** Known once started. */
  address(): string;
}

/** Errors of start: invalid_configuration, each with one line that says what to do. */
export function createStandalone(role: Role): Standalone {
  const { configuration, log } = role;
  const host = configuration.WINDLASS_LISTEN_HOST;
  const stops: (() => Promise<void>)[] = [];
  let address = "";

  const stop = async () => {
    for (let end = stops.pop(); end; end = stops.pop()) await end();
  };
  const start = async () => {
    const access = chooseAccess(host, configuration.WINDLASS_ADMIN_PASSWORD);
    await requireFreePort(host, configuration.WINDLASS_LISTEN_PORT);
    const postgres = await startEmbeddedPostgres({
      folder: configuration.WINDLASS_DATA_FOLDER,
      durable: true,
      maxConnections: MAX_CONNECTIONS,
    });
    stops.push(() => postgres.stop());
    const { db, rules } = openStore(role, await createDatabase(postgres, log), "standalone");
    stops.push(() => db.close());
    await migrate(db, MIGRATIONS, systemClock.now(), log);
    const keys = configuration.WINDLASS_ENCRYPTION_KEYS ?? [loadEncryptionKey(configuration.WINDLASS_DATA_FOLDER)];
    const keyed = { ...role, configuration: { ...configuration, WINDLASS_ENCRYPTION_KEYS: keys } };
    const api = await composeApi(keyed, db, rules, access);
    stops.push(() => api.stop());
    await api.start();
    address = api.address() ?? "";
    const scheduler = await composeScheduler(keyed, db, rules, address);
    stops.push(() => scheduler.stop());
    await scheduler.start();
  };
  return {
    name: "standalone",
    address: () => address,
    start: async () => {
      try {
        await start();
      } catch (error) {
        await stop().catch((reason: unknown) => log.warn({ err: reason }, "cannot stop what had started"));
        throw error;
      }
    },
    stop,
  };
}

/** Made once, beside the database that it protects copies of. */
function loadEncryptionKey(folder: string): string {
  const path = join(folder, "encryption-key");
  try {
    // wx: another key than the first would not open what the first has sealed.
    writeFileSync(path, randomBytes(32).toString("base64"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8").trim();
}

function chooseAccess(host: string, password: string | undefined): ApiOptions["access"] {
  if (password !== undefined) return { kind: "password", digest: digestPassword(password) };
  if (isLoopbackName(host)) return { kind: "open" };
  throw failure(
    "invalid_configuration",
    `standalone runs without sign-in on loopback only, and WINDLASS_LISTEN_HOST is ${host}; set WINDLASS_ADMIN_PASSWORD, or listen on 127.0.0.1`,
  );
}

/** Before anything is started, so that the one line about the port is all there is to read. */
function requireFreePort(host: string, port: number): Promise<void> {
  return new Promise((free, reject) => {
    const probe = createServer();
    probe.once("error", (error) => {
      const inUse = "code" in error && error.code === "EADDRINUSE";
      const why = inUse
        ? "is in use by another process; stop it"
        : `cannot be had (${messageOf(error)}); change WINDLASS_LISTEN_HOST`;
      reject(
        failure(
          "invalid_configuration",
          `port ${port} on ${host} ${why}, or set WINDLASS_LISTEN_PORT to another port`,
          { cause: error },
        ),
      );
    });
    probe.listen(port, host, () => probe.close(() => free()));
  });
}

async function createDatabase(postgres: EmbeddedPostgres, log: Logger): Promise<string> {
  const admin: Database = openDatabase({ url: postgres.url, poolSize: 1, applicationName: "windlass-setup", log });
  try {
    const { rowCount } = await admin.query({
      text: "select 1 from pg_database where datname = $1",
      values: [DATABASE],
    });
    if (rowCount === 0) await admin.query({ text: `create database ${DATABASE}` });
  } finally {
    await admin.close();
  }
  const url = new URL(postgres.url);
  url.pathname = `/${DATABASE}`;
  return url.href;
}

export function announce(address: string, dagsFolder: string): string {
  return [
    `${styleText("bold", "Windlass")} serves on ${styleText("cyan", address)}, without sign-in: it listens on this machine only.`,
    `DAG files are read from ${dagsFolder}. Ctrl-C stops it; running tasks are picked up at the next start.`,
  ].join("\n");
}
