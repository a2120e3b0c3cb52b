// Pods that outlive their attempts: written down before they are kept, so that a crash in between cannot make one stay for
// ever. One row for each that has an end, none for the others; nothing else ever reads them.

import type { AttemptHandle } from "./attempt-clean.ts";
import type { Queryable } from "./database.ts";

export interface KeptPod extends AttemptHandle {
  remove_at: Date;
}

export async function noteKeptPods(db: Queryable, executor: string, pods: readonly KeptPod[]): Promise<void> {
  if (pods.length === 0) return;
  await db.query({
    name: "note_kept_pods",
    text: `
      insert into kept_pod (attempt_id, epoch, executor, namespace, pod_name, pod_uid, remove_at)
      select id, epoch, $1, namespace, pod_name, pod_uid, remove_at
      from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        as p (id, epoch, namespace, pod_name, pod_uid, remove_at)
      on conflict do nothing`,
    values: [
      executor,
      pods.map((pod) => pod.attempt_id),
      pods.map((pod) => pod.epoch),
      pods.map((pod) => pod.namespace),
      pods.map((pod) => pod.pod_name),
      pods.map((pod) => pod.pod_uid),
      pods.map((pod) => pod.remove_at),
    ],
  });
}

/** Takes kept pods whose time is over; each is offered again at `again` unless it is forgotten. */
export async function claimExpiredPods(
  db: Queryable,
  claim: { executor: string; limit: number; again: Date },
  now: Date,
): Promise<AttemptHandle[]> {
  const { rows } = await db.query<AttemptHandle>({
    name: "claim_expired_pods",
    // Over kept_pod_due, so that what is not due costs nothing.
    text: `
      update kept_pod set remove_at = $3
      where attempt_id in (
        select attempt_id from kept_pod where executor = $1 and remove_at <= $2
        order by remove_at limit $4 for update skip locked)
      returning attempt_id, epoch, namespace, pod_name, pod_uid`,
    values: [claim.executor, now, claim.again, claim.limit],
  });
  return rows;
}

export async function findNextExpiry(db: Queryable, executor: string): Promise<Date | null> {
  const { rows } = await db.query<{ next_due: Date | null }>({
    name: "next_expiry",
    text: "select min(remove_at) as next_due from kept_pod where executor = $1",
    values: [executor],
  });
  return rows[0]?.next_due ?? null;
}

export async function forgetKeptPods(db: Queryable, attemptIds: readonly string[]): Promise<void> {
  if (attemptIds.length === 0) return;
  await db.query({
    name: "forget_kept_pods",
    text: "delete from kept_pod where attempt_id = any ($1::uuid[])",
    values: [attemptIds],
  });
}
