// The memory that tasks were seen to need: learned when an attempt is killed for its limit, given to every later one.

import type { AfterAttempt } from "../core/after-attempt.ts";
import type { TaskDefinition } from "../core/definition.ts";
import { growLimit } from "../core/memory-growth.ts";
import { formatBytes } from "../core/quantity.ts";
import type { Queryable } from "./database.ts";

/** Bytes. */
export interface GrownMemory {
  killed_at: bigint;
  floor: bigint;
}

/** Null: the task does not grow, has reached its cap, or had no limit that was seen. */
export function growMemory(task: TaskDefinition | undefined, limit: number | null): GrownMemory | null {
  if (!task?.memory_growth || limit === null) return null;
  const killedAt = BigInt(limit);
  const floor = growLimit(task.memory_growth, killedAt);
  return floor === null ? null : { killed_at: killedAt, floor };
}

export function sayGrowth(after: AfterAttempt, grown: GrownMemory | null): AfterAttempt {
  if (grown === null || after.reason === null) return after;
  const who = after.retry_in === null ? "the next run" : "the next attempt";
  return { ...after, reason: `${after.reason}; ${who} gets ${formatBytes(grown.floor)} of memory` };
}

export async function learnMemory(
  tx: Queryable,
  learned: readonly (GrownMemory & { dag_id: string; task_id: string })[],
  now: Date,
): Promise<void> {
  if (learned.length === 0) return;
  await tx.query({
    name: "learn_memory",
    // In one order, so that two batches cannot wait for each other; of one task in a batch, the most counts.
    text: `
      insert into memory_floor as f (dag_id, task_id, bytes, killed_at_bytes, learned_at)
      select dag_id, task_id, max(bytes), max(killed_at), $5
      from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as l (dag_id, task_id, bytes, killed_at)
      group by dag_id, task_id order by dag_id, task_id
      on conflict (dag_id, task_id) do update set bytes = greatest(f.bytes, excluded.bytes),
        killed_at_bytes = greatest(f.killed_at_bytes, excluded.killed_at_bytes), learned_at = excluded.learned_at
      where f.bytes < excluded.bytes`,
    values: [
      learned.map((each) => each.dag_id),
      learned.map((each) => each.task_id),
      learned.map((each) => each.floor),
      learned.map((each) => each.killed_at),
      now,
    ],
  });
}
