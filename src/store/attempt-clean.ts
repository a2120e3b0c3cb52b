// Which pods and processes the ledger believes to exist, and which of them are to be removed.

import type { Queryable } from "./database.ts";

export interface AttemptHandle {
  attempt_id: string;
  epoch: number;
  namespace: string | null;
  pod_name: string;
  pod_uid: string | null;
}

export interface ExpectedAttempt extends AttemptHandle {
  state: "launching" | "launched" | "running" | "finished";
  launched_at: string | null;
}

/** Attempts that were handed out and not cleaned up. */
export async function listExpectedAttempts(db: Queryable, executor: string): Promise<ExpectedAttempt[]> {
  const { rows } = await db.query<Omit<ExpectedAttempt, "launched_at"> & { launched_at: Date | null }>({
    name: "list_expected",
    // One part for each partial index: joined by "or", none of them would be used.
    text: `
      select id as attempt_id, epoch, namespace, pod_name, pod_uid, state, launched_at from attempt
      where executor = $1 and state = 'launching'
      union all
      select id, epoch, namespace, pod_name, pod_uid, state, launched_at from attempt
      where executor = $1 and state in ('launched', 'running')
      union all
      select id, epoch, namespace, pod_name, pod_uid, state, launched_at from attempt
      where executor = $1 and state = 'finished' and cleaned_at is null`,
    values: [executor],
  });
  return rows.map((row) => ({ ...row, launched_at: row.launched_at?.toISOString() ?? null }));
}

/** Takes ended attempts whose remains have to go; each is offered again after `leaseMs` until it is marked cleaned. */
export async function claimRemains(
  db: Queryable,
  claim: { executor: string; holder: string; limit: number; leaseMs: number },
  now: Date,
): Promise<AttemptHandle[]> {
  const { rows } = await db.query<AttemptHandle>({
    name: "claim_remains",
    text: `
      update attempt set claimed_by = $2, claimed_until = $4
      where id in (
        select id from attempt
        where executor = $1 and state = 'finished' and cleaned_at is null and (claimed_until is null or claimed_until <= $3)
        order by finished_at limit $5 for update skip locked)
      returning id as attempt_id, epoch, namespace, pod_name, pod_uid`,
    values: [claim.executor, claim.holder, now, new Date(now.getTime() + claim.leaseMs), claim.limit],
  });
  return rows;
}

export async function markCleaned(db: Queryable, attemptIds: readonly string[], now: Date): Promise<void> {
  if (attemptIds.length === 0) return;
  await db.query({
    name: "mark_cleaned",
    text: `update attempt set cleaned_at = $2, pod_gone_at = coalesce(pod_gone_at, $2), claimed_until = null
      where id = any ($1::uuid[]) and cleaned_at is null`,
    values: [attemptIds, now],
  });
}
