// The newest heartbeat of each kind of process.

import type { Queryable } from "./database.ts";

export async function readHeartbeats(db: Queryable): Promise<Map<string, Date>> {
  const { rows } = await db.query<{ kind: string; heartbeat_at: Date }>({
    name: "read_heartbeats",
    text: "select kind, max(heartbeat_at) as heartbeat_at from process group by kind",
  });
  return new Map(rows.map((row) => [row.kind, row.heartbeat_at]));
}
