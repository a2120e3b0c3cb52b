// Events that come before their task waits for them are kept, one for each instance, and taken by the end of its wait.

import { failure } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { EarlyEvent } from "../core/judge-wait.ts";
import type { Queryable } from "./database.ts";
import type { InstanceKey } from "./read-task-instances.ts";

/** Whether it is kept: only for an instance whose wait has not begun. Errors: already_exists, when one is kept already. */
export async function keepEarlyEvent(db: Queryable, key: InstanceKey, payload: Json, now: Date): Promise<boolean> {
  const { rows } = await db.query<{ expected: boolean; kept: boolean }>({
    name: "keep_early_event",
    text: `
      -- Locked: a wait that begins at this moment finds the event at its first look, or is found by whoever delivers it.
      with expected as (
        select t.id from task_instance t join dag_run r on r.id = t.run_id
        where r.dag_id = $1 and r.dag_run_id = $2 and t.task_id = $3 and t.map_index = $4
          and r.state in ('queued', 'running') and (t.state is null or t.state = 'scheduled')
        for no key update of t),
      kept as (
        insert into early_event (task_instance_id, payload, delivered_at) select id, $5, $6 from expected
        on conflict (task_instance_id) do nothing returning task_instance_id)
      select exists (select from expected) as expected, exists (select from kept) as kept`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index, JSON.stringify(payload), now],
  });
  const [found] = rows;
  if (found?.expected && !found.kept) {
    throw failure("already_exists", `an event is already kept for task "${key.task_id}" until it waits for it`);
  }
  return found?.kept ?? false;
}

/** null: none is kept. */
export async function readEarlyEvent(db: Queryable, taskInstanceId: string): Promise<EarlyEvent | null> {
  const { rows } = await db.query<EarlyEvent>({
    name: "read_early_event",
    text: "select payload, delivered_at from early_event where task_instance_id = $1",
    values: [taskInstanceId],
  });
  return rows[0] ?? null;
}
