// Why instances that are ready are not queued. It names counts and holders that change with every pass and is the same for all
// of a lane, so it is said when somebody asks, by the rule that closes lanes.

import { countOccupants, createQueueLimits, type Lane } from "../core/plan-queue.ts";
import type { Queryable } from "./database.ts";
import { readOccupants, readSlotPools } from "./slot-usage.ts";

interface Asked {
  reason: string | null;
  /** The lane in which it waits for a slot; null: it does not. */
  waits_in: number | null;
}

interface KnownParallelism {
  parallelism: number | null;
  cluster_parallelism: Record<string, number>;
}

/** With the reasons of those that have none of their own and wait in a closed lane. Costs what is active, if there are any. */
export async function addReasons<Row extends Asked>(db: Queryable, rows: Row[]): Promise<Row[]> {
  const ids = new Set(rows.flatMap(({ reason, waits_in }) => (reason === null && waits_in !== null ? [waits_in] : [])));
  if (ids.size === 0) return rows;
  const { rows: lanes } = await db.query<Lane & KnownParallelism>({
    name: "lanes_to_explain",
    text: `
      select l.id, l.run_id, r.dag_id, r.dag_run_id, l.cluster, l.pool, l.pool_slots, l.task_id, l.key, l.is_wait, l.run_limit,
        l.dag_limit, l.task_limit, l.task_run_limit, l.key_limit, s.parallelism, s.cluster_parallelism
      from queue_lane l join dag_run r on r.id = l.run_id cross join queue_state s where l.id = any ($1::bigint[])`,
    values: [[...ids]],
  });
  const pools = await readSlotPools(db);
  const usage = countOccupants(await readOccupants(db));
  // Nobody knows the parallelism before the first pass of all.
  const { parallelism = null, cluster_parallelism = {} } = lanes[0] ?? {};
  const limits = createQueueLimits({
    parallelism: parallelism ?? Infinity,
    clusterParallelism: new Map(Object.entries(cluster_parallelism)),
    pools,
    ...usage,
  });
  const reasons = new Map(lanes.map((lane) => [lane.id, limits.explain(lane)]));
  return rows.map((row) =>
    row.reason === null && row.waits_in !== null ? { ...row, reason: reasons.get(row.waits_in) ?? null } : row,
  );
}
