// Attempts in clusters that no scheduler has configured: nobody launches, watches or removes their pods.

import type { Queryable } from "./database.ts";

/** Those that could not be launched by anybody. Over attempt_to_launch, which holds what parallelism allows. */
export async function findStrayLaunches(db: Queryable, known: readonly string[], now: Date) {
  const { rows } = await db.query<{ attempt_id: string; executor: string }>({
    name: "find_stray_launches",
    text: `
      select id as attempt_id, executor from attempt
      where state in ('queued', 'launching') and executor like 'kubernetes:%' and executor <> all ($1::text[])
        and (claimed_until is null or claimed_until <= $2)
      order by queued_at limit 500`,
    values: [known, now],
  });
  return rows;
}

/** Pods that wait for their cluster to be configured again: to be watched, or to be removed. */
export async function countStrayPods(db: Queryable, known: readonly string[]) {
  const { rows } = await db.query<{ executor: string; pods: number }>({
    name: "count_stray_pods",
    // One part for each partial index: joined by "or", none of them would be used.
    text: `
      select executor, count(*)::integer as pods from (
        select executor from attempt where state in ('launched', 'running')
        union all
        select executor from attempt where state = 'finished' and cleaned_at is null
        union all
        select executor from kept_pod) as pod
      where executor like 'kubernetes:%' and executor <> all ($1::text[])
      group by executor order by executor`,
    values: [known],
  });
  return rows;
}
