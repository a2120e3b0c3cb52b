// What a release makes of the migrations that a database holds. Its own must be there unchanged; those of a newer release are
// tolerated while that one says that this one still works with them, so that a rollback needs no migration back.

import { failure } from "./errors.ts";

export interface KnownMigration {
  version: number;
  name: string;
  checksum: string;
}

export interface AppliedMigration extends KnownMigration {
  /** The newest migration that a release must know to work with this one; null: it only adds, and any release may. */
  compatible_from: number | null;
}

export interface SchemaPlan<Migration extends KnownMigration> {
  /** To be applied, in order. */
  pending: Migration[];
  /** Names of a newer release's that are tolerated. */
  ahead: string[];
}

/** Errors: schema_newer, schema_changed. */
export function planSchema<Migration extends KnownMigration>(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): SchemaPlan<Migration> {
  const byVersion = new Map(known.map((migration) => [migration.version, migration]));
  const newest = Math.max(0, ...byVersion.keys());
  const ahead: string[] = [];
  for (const { version, name, checksum, compatible_from } of applied) {
    const migration = byVersion.get(version);
    if (!migration) {
      if (compatible_from !== null && compatible_from > newest) {
        throw failure(
          "schema_newer",
          `the database holds migration ${name}, with which only releases from migration ${compatible_from} on work, and the last of this release is ${newest}; run a newer release, or restore a backup`,
        );
      }
      ahead.push(name);
    } else if (migration.checksum !== checksum) {
      throw failure("schema_changed", `migration ${name} was changed after it was applied; restore the original file`);
    }
  }
  const done = new Set(applied.map(({ version }) => version));
  return { pending: known.filter(({ version }) => !done.has(version)), ahead };
}

const MARKER = /^-- compatible-from: (.*)$/m;

/**
 * The number in a migration's leading comment `-- compatible-from: 0012`, or null when it has none.
 * Errors: schema_changed for a number that is none, or is not below its own.
 */
export function readCompatibleFrom(version: number, name: string, sql: string): number | null {
  const head = /^(?:\s*--[^\n]*\n)*/.exec(sql)?.[0] ?? "";
  const text = MARKER.exec(head)?.[1]?.trim();
  if (text === undefined) return null;
  const number = Number(text);
  if (/^\d{1,4}$/.test(text) && number <= version) return number;
  throw failure(
    "schema_changed",
    `migration ${name}: "compatible-from: ${text}" has to name a migration up to ${version}`,
  );
}
