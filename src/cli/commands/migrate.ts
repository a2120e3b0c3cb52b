// `windlass migrate`.

import { isFailure, messageOf } from "../../core/errors.ts";
import { backoffDelay } from "../../lifecycle/backoff.ts";
import { type Clock, systemClock } from "../../lifecycle/clock.ts";
import { migrate } from "../../store/migrate.ts";
import { openStore, type Role } from "../compose.ts";
import { MIGRATIONS } from "../installation.ts";
import { SCHEMA_BACKOFF } from "../wait-for-schema.ts";

/**
 * @param waitSeconds for a database that does not answer yet, as one that is installed together with this Job
 * Errors: unavailable, schema_newer, schema_changed.
 */
export async function migrateDatabase(
  role: Role,
  waitSeconds = 0,
  clock: Clock = systemClock,
): Promise<{ applied: number }> {
  const { db } = openStore(role, role.configuration.WINDLASS_DATABASE_URL ?? "", "migrate");
  const until = clock.monotonic() + waitSeconds * 1_000;
  try {
    for (let failures = 1; ; failures += 1) {
      try {
        return await migrate(db, MIGRATIONS, clock.now(), role.log);
      } catch (error) {
        if (!isFailure(error, "unavailable") || clock.monotonic() >= until) throw error;
        role.log.warn({ failures }, `waiting for the database: ${messageOf(error)}`);
        await clock.sleep(backoffDelay(SCHEMA_BACKOFF, failures));
      }
    }
  } finally {
    await db.close();
  }
}
