// A database of its own for a test file: a clone of the template that `start-postgres.ts` migrated once for the whole run.

import { inject } from "vitest";
import { createDatabase, type TestDatabase } from "./postgres-database.ts";

export type { TestDatabase };

/** With the schema of this release, and no rows. */
export function createTestDatabase(): Promise<TestDatabase> {
  const { url, template } = inject("postgres");
  return createDatabase(url, template);
}

/** Without any table: for tests of the migrations themselves. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase(inject("postgres").url, "template0");
}
