// Databases on a test server: made, migrated and dropped.

import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { createLogger } from "../../src/lifecycle/log.ts";
import { openDatabase } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";

export interface TestDatabase {
  url: string;
  /** Also ends whatever is still connected. */
  drop(): Promise<void>;
}

export async function createDatabase(serverUrl: string, template: string): Promise<TestDatabase> {
  const name = `windlass_test_${randomUUID().replaceAll("-", "")}`;
  await execute(serverUrl, `create database ${name} template ${template}`);
  return {
    url: withDatabase(serverUrl, name),
    drop: () => execute(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Applies every migration of this release. */
export async function migrateDatabase(url: string): Promise<void> {
  const log = createLogger("warn");
  const db = openDatabase({ url, poolSize: 1, applicationName: "windlass-test", log });
  try {
    await migrate(db, fileURLToPath(new URL("../../migrations", import.meta.url)), new Date(), log);
  } finally {
    await db.close();
  }
}
