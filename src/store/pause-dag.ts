// Pausing: a paused DAG gets no new runs from its schedule.

import type { Database } from "./database.ts";
import { recordEvents } from "./event-log.ts";
import { notifyWork } from "./wake-up.ts";

/** false: there is no such DAG. */
export async function setDagPaused(
  db: Database,
  dagId: string,
  paused: boolean,
  user: string | null,
  now: Date,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "set_dag_paused",
      text: "update dag set is_paused = $2 where dag_id = $1",
      values: [dagId, paused],
    });
    const event = { event: paused ? "pause_dag" : "unpause_dag", dag_id: dagId, owner: user };
    if (rowCount > 0) await recordEvents(tx, [event], now);
    if (rowCount > 0 && !paused) await notifyWork(tx, "runs", "queue");
    return rowCount > 0;
  });
}
