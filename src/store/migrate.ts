// Brings the schema to this release's version: numbered plain SQL files, forward only, under one advisory lock, so that any
// number of processes may start at once. What an older or newer release may do with a schema is core/schema-plan.ts: an
// applied file that has changed, or one that this release cannot work with, is refused.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../core/errors.ts";
import { type AppliedMigration, planSchema, readCompatibleFrom } from "../core/schema-plan.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Database, Queryable } from "./database.ts";

interface Migration extends AppliedMigration {
  sql: string;
}

// Any constant that is ours: "windlass" in ASCII, folded to 63 bits.
const MIGRATION_LOCK = "8605194567823221";
const LOCK_TIMEOUT_MS = 10_000;

async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), "utf8");
      const version = Number(name.slice(0, 4));
      const checksum = createHash("sha256").update(sql).digest("hex");
      return { version, name, sql, checksum, compatible_from: readCompatibleFrom(version, name, sql) };
    }),
  );
}

/** Applies what is missing; nothing when a newer release has been there. Errors: schema_newer, schema_changed. */
export async function migrate(db: Database, folder: string, now: Date, log: Logger): Promise<{ applied: number }> {
  const migrations = await readMigrations(folder);
  await inTurn(db, prepareTable);
  for (let applied = 0; ; applied += 1) {
    // A transaction for each: what one has locked is free again before the next.
    const isOver = await inTurn(db, async (tx) => {
      const [next] = planSchema(migrations, await readApplied(tx)).pending;
      if (next) await applyMigration(tx, next, now, log);
      return next === undefined;
    });
    if (isOver) return { applied };
  }
}

function inTurn<T>(db: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [MIGRATION_LOCK], unhurried: true });
    // Whoever waits for a table's lock holds up all that come after: rather fail, and be started again by the Job.
    await tx.query({ text: `set local lock_timeout = ${LOCK_TIMEOUT_MS}` });
    return work(tx);
  });
}

async function prepareTable(tx: Queryable): Promise<void> {
  await tx.query({
    text: `create table if not exists migration (
      version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null,
      compatible_from integer)`,
  });
  // Release 0.1 made the table without it. Asked first: even a column that is there would cost the table's lock.
  const { rowCount } = await tx.query({
    text: "select from pg_attribute where attrelid = 'migration'::regclass and attname = 'compatible_from'",
  });
  if (rowCount === 0) await tx.query({ text: "alter table migration add column compatible_from integer" });
}

async function applyMigration(tx: Queryable, migration: Migration, now: Date, log: Logger): Promise<void> {
  const { version, name, sql, checksum, compatible_from } = migration;
  log.info({ migration: name }, "applying migration");
  await tx.query({ unhurried: true, text: sql });
  await tx.query({
    text: "insert into migration (version, name, checksum, applied_at, compatible_from) values ($1, $2, $3, $4, $5)",
    values: [version, name, checksum, now, compatible_from],
  });
}

/**
 * Throws schema_older or schema_newer unless this release works with the database's schema.
 * Returns the migrations of a newer release that are in it.
 */
export async function checkSchema(db: Queryable, folder: string): Promise<{ ahead: string[] }> {
  const present = await db.query({ text: "select to_regclass('migration') is not null as present" });
  const applied = present.rows[0]?.["present"] === true ? await readApplied(db) : [];
  const { pending, ahead } = planSchema(await readMigrations(folder), applied);
  if (pending.length > 0) {
    throw failure("schema_older", `${pending.length} migrations are missing; run \`windlass migrate\``);
  }
  return { ahead };
}

async function readApplied(db: Queryable): Promise<AppliedMigration[]> {
  const { rows } = await db.query<AppliedMigration>({
    // As JSON, because a database of release 0.1 that waits for its migration has no such column.
    text: `select version, name, checksum, (to_jsonb(migration) ->> 'compatible_from')::integer as compatible_from
      from migration order by version`,
  });
  return rows;
}
