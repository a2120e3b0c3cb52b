// The Postgres server itself.

import type { Queryable } from "./database.ts";

/** @returns its major version, and its clock's time */
export async function readServer(db: Queryable): Promise<{ major: number; now: Date }> {
  const { rows } = await db.query<{ version: number; now: Date }>({
    text: "select current_setting('server_version_num')::integer as version, clock_timestamp() as now",
  });
  const row = rows[0];
  if (!row) throw new Error("Postgres gave no row for its version");
  return { major: Math.floor(row.version / 10_000), now: row.now };
}
