// `windlass migrate`.

import { systemClock } from "../../lifecycle/clock.ts";
import { migrate } from "../../store/migrate.ts";
import { openStore, type Role } from "../compose.ts";
import { MIGRATIONS } from "../installation.ts";

/** Errors: unavailable, schema_newer, schema_changed. */
export async function migrateDatabase(role: Role): Promise<{ applied: number }> {
  const { db } = openStore(role, role.configuration.WINDLASS_DATABASE_URL ?? "", "migrate");
  try {
    return await migrate(db, MIGRATIONS, systemClock.now(), role.log);
  } finally {
    await db.close();
  }
}
