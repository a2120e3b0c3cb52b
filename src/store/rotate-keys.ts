// After a new first key: seals everything under it, so that the older keys can go. One transaction, because a half-rotated
// installation would look like one that lost a key.

import type { Database } from "./database.ts";
import { resealConnections } from "./connections.ts";
import type { Sealer } from "./sealing.ts";
import { resealVariables } from "./variables.ts";

/** Errors: encryption_unavailable, when a value's key is gone. */
export async function rotateKeys(db: Database, sealer: Sealer): Promise<{ variables: number; connections: number }> {
  return db.transaction(async (tx) => ({
    variables: await resealVariables(tx, sealer),
    connections: await resealConnections(tx, sealer),
  }));
}
