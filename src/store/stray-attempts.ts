// Attempts in clusters that no scheduler has configured: nobody launches, watches or removes their pods.

import type { Queryable } from "./database.ts";

/**
 * Those that could not be launched by anybody, claimed as if for a launch: a scheduler that has just got to know their cluster
 * may be about to. Over attempt_to_launch, which holds what parallelism allows.
 */
export async function claimStrayLaunches(
  db: Queryable,
  claim: { known: readonly string[]; holder: string; leaseMs: number },
  now: Date,
): Promise<{ attempt_id: string; executor: string }[]> {
  const { rows } = await db.query<{ attempt_id: string; executor: string }>({
    name: "claim_stray_launches",
    text: `
      update attempt set state = 'launching', claimed_by = $3, claimed_until = $4 where id in (
        select id from attempt
        where state in ('queued', 'launching') and executor like 'kubernetes:%' and executor <> all ($1::text[])
          and (claimed_until is null or claimed_until <= $2)
        order by queued_at limit 500 for update skip locked)
      returning id as attempt_id, executor`,
    values: [claim.known, now, claim.holder, new Date(now.getTime() + claim.leaseMs)],
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
