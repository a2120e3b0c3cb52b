// Brings the schema to this release's version: numbered plain SQL files, forward only, under one advisory lock, so that any
// number of processes may start at once. An applied file that has changed, or a version that this release does not know, is
// refused: going on would read a schema that this code was not written for.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../core/errors.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Database, Queryable } from "./database.ts";

interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
}

// Any constant that is ours: "windlass" in ASCII, folded to 63 bits.
const MIGRATION_LOCK = "8605194567823221";

export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), "utf8");
      return { version: Number(name.slice(0, 4)), name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

/** Applies what is missing. Errors: schema_newer, schema_changed. */
export async function migrate(db: Database, folder: string, now: Date, log: Logger): Promise<{ applied: number }> {
  const migrations = await readMigrations(folder);
  const applied = await db.transaction(async (tx) => {
    await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [MIGRATION_LOCK], unhurried: true });
    await tx.query({
      text: `create table if not exists migration (
        version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null)`,
    });
    const pending = findPending(migrations, await readApplied(tx));
    for (const { version, name, sql, checksum } of pending) {
      log.info({ migration: name }, "applying migration");
      await tx.query({ unhurried: true, text: sql });
      await tx.query({
        text: "insert into migration (version, name, checksum, applied_at) values ($1, $2, $3, $4)",
        values: [version, name, checksum, now],
      });
    }
    return pending.length;
  });
  return { applied };
}

/** Throws schema_older or schema_newer unless the database is exactly at this release's version. */
export async function checkSchema(db: Queryable, folder: string): Promise<void> {
  const present = await db.query({ text: "select to_regclass('migration') is not null as present" });
  const applied = present.rows[0]?.["present"] === true ? await readApplied(db) : [];
  const pending = findPending(await readMigrations(folder), applied);
  if (pending.length > 0) {
    throw failure("schema_older", `${pending.length} migrations are missing; run \`windlass migrate\``);
  }
}

interface AppliedMigration {
  version: number;
  name: string;
  checksum: string;
}

async function readApplied(db: Queryable): Promise<AppliedMigration[]> {
  const { rows } = await db.query<AppliedMigration>({
    text: "select version, name, checksum from migration order by version",
  });
  return rows;
}

function findPending(migrations: Migration[], applied: AppliedMigration[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  for (const { version, name, checksum } of applied) {
    const migration = known.get(version);
    if (!migration) {
      throw failure(
        "schema_newer",
        `the database holds migration ${name}, which this release does not know; run the newer release, or restore a backup`,
      );
    }
    if (migration.checksum !== checksum) {
      throw failure("schema_changed", `migration ${name} was changed after it was applied; restore the original file`);
    }
  }
  const done = new Set(applied.map((row) => row.version));
  return migrations.filter((migration) => !done.has(migration.version));
}
