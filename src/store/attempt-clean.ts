// Which pods and processes the ledger believes to exist, and which of them are to be removed.

import type { OutcomeKind } from "../core/outcome.ts";
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

/** An ended attempt whose remains have to go. */
export interface Remains extends AttemptHandle {
  task_id: string;
  version_id: number;
  finished_at: Date;
  outcome: OutcomeKind;
  outcome_reason: string;
  exit_code: number | null;
  has_log: boolean;
}

/** Takes ended attempts whose remains have to go; each is offered again after `leaseMs` until it is marked cleaned. */
export async function claimRemains(
  db: Queryable,
  claim: { executor: string; holder: string; limit: number; leaseMs: number },
  now: Date,
): Promise<Remains[]> {
  const { rows } = await db.query<Remains>({
    name: "claim_remains",
    text: `
      with claimed as (
        update attempt set claimed_by = $2, claimed_until = $4
        where id in (
          select id from attempt
          where executor = $1 and state = 'finished' and cleaned_at is null and (claimed_until is null or claimed_until <= $3)
          order by finished_at limit $5 for update skip locked)
        returning *)
      select c.id as attempt_id, c.epoch, c.namespace, c.pod_name, c.pod_uid, c.finished_at, c.outcome, c.outcome_reason, c.exit_code,
        t.task_id, r.version_id, coalesce(log.done, false) as has_log
      from claimed c join task_instance t on t.id = c.task_instance_id join dag_run r on r.id = t.run_id
        left join container_log log on log.attempt_id = c.id`,
    values: [claim.executor, claim.holder, now, new Date(now.getTime() + claim.leaseMs), claim.limit],
  });
  return rows;
}

/** Of those that nothing is left of, as far as is known: a pod that was seen since is offered for removal. */
export async function markCleaned(
  db: Queryable,
  handles: readonly Pick<AttemptHandle, "attempt_id" | "pod_uid">[],
  now: Date,
): Promise<void> {
  if (handles.length === 0) return;
  await db.query({
    name: "mark_cleaned",
    text: `update attempt a set cleaned_at = $3, pod_gone_at = coalesce(a.pod_gone_at, $3), claimed_until = null
      from unnest($1::uuid[], $2::text[]) as h (id, pod_uid)
      where a.id = h.id and a.cleaned_at is null and a.pod_uid is not distinct from h.pod_uid`,
    values: [handles.map(({ attempt_id }) => attempt_id), handles.map(({ pod_uid }) => pod_uid), now],
  });
}

/** Lets ended attempts be claimed again at `until`, before their lease would. */
export async function offerRemainsAgain(db: Queryable, attemptIds: readonly string[], until: Date): Promise<void> {
  if (attemptIds.length === 0) return;
  await db.query({
    name: "offer_remains_again",
    text: "update attempt set claimed_until = $2 where id = any ($1::uuid[]) and state = 'finished' and cleaned_at is null",
    values: [attemptIds, until],
  });
}
