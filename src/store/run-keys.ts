// Runs that wait because others with the same concurrency key run.

import type { Queryable } from "./database.ts";

/** Under the lock of run starts. Each queued run whose key is full says so; written only where it says something else. */
export async function explainKeys(tx: Queryable, now: Date): Promise<void> {
  await tx.query({
    name: "explain_keys",
    text: `
      with active as (
        select dag_id, concurrency_key, count(*) as runs, min(dag_run_id) as first from dag_run
        where state = 'running' and concurrency_key is not null group by dag_id, concurrency_key)
      update dag_run r set reason = w.reason from (
        select q.id, case when a.runs >= q.concurrency_limit then
          format('waits for others with the same key "%s": run "%s"%s of this DAG, and the limit of its concurrency is %s',
            q.concurrency_key, a.first, case when a.runs > 1 then format(' and %s more', a.runs - 1) else '' end,
            q.concurrency_limit) end as reason
        from dag_run q left join active a using (dag_id, concurrency_key)
        where q.state = 'queued' and q.concurrency_key is not null and q.run_after <= $1) w
      where r.id = w.id and r.state = 'queued' and r.reason is distinct from w.reason`,
    values: [now],
  });
}
