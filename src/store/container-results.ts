// Results that helpers of containers have delivered, until the attempt's success makes them the task's.

import { failure } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Queryable } from "./database.ts";

/** Errors: attempt_stale, when the attempt has ended or was replaced. A repeat replaces what was there. */
export async function keepContainerResult(
  db: Queryable,
  attempt: { attempt_id: string; epoch: number },
  value: Json,
): Promise<void> {
  const { rowCount } = await db.query({
    name: "keep_container_result",
    text: `
      insert into container_result (attempt_id, value)
      select a.id, $3::json from attempt a join task_instance i on i.id = a.task_instance_id
      where a.id = $1 and a.epoch = $2 and i.epoch = a.epoch and a.outcome is null
      on conflict (attempt_id) do update set value = excluded.value`,
    values: [attempt.attempt_id, attempt.epoch, JSON.stringify(value)],
  });
  if (rowCount === 0) throw failure("attempt_stale", `attempt ${attempt.attempt_id} has ended, or was replaced`);
}

/** Those that there are, by attempt; they are gone afterwards. */
export async function takeContainerResults(tx: Queryable, attemptIds: readonly string[]): Promise<Map<string, Json>> {
  if (attemptIds.length === 0) return new Map();
  const { rows } = await tx.query<{ attempt_id: string; value: Json }>({
    name: "take_container_results",
    text: "delete from container_result where attempt_id = any ($1::uuid[]) returning attempt_id, value",
    values: [attemptIds],
  });
  return new Map(rows.map((row) => [row.attempt_id, row.value]));
}
