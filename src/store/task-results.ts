// What tasks returned, one value per task instance: that of its successful attempt.

import type { Json } from "../core/json.ts";
import type { Queryable } from "./database.ts";

export async function saveResults(
  tx: Queryable,
  results: readonly { task_instance_id: string; value: Json }[],
  now: Date,
): Promise<void> {
  if (results.length === 0) return;
  await tx.query({
    name: "save_results",
    text: `insert into task_result (task_instance_id, value, created_at)
      select id, value::json, $3 from unnest($1::uuid[], $2::text[]) as result (id, value)
      on conflict (task_instance_id) do update set value = excluded.value, created_at = excluded.created_at`,
    values: [
      results.map((result) => result.task_instance_id),
      results.map((result) => JSON.stringify(result.value)),
      now,
    ],
  });
}
