// Hands attempts to executors: a claim under a short lease, so that an attempt whose claimer died is launched by another.
// Launching twice makes one pod (its name is the attempt's), but what a launcher says that has lost its claim is refused, save
// that the pod is there.

import { cleanText } from "../core/clean-text.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Database, Queryable } from "./database.ts";
import { type OutcomeRules, recordOutcomes } from "./attempt-outcome.ts";
import { notifyWork } from "./wake-up.ts";

export interface ClaimedAttempt {
  attempt_id: string;
  epoch: number;
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  namespace: string | null;
  pod_name: string;
  version_id: number;
  launch_failures: number;
  /** Since when its launches fail; null: none has. */
  waiting_since: Date | null;
  /** When its instance became ready to run. */
  scheduled_at: Date | null;
  queued_at: Date;
  /** Bytes that its task was seen to need; null: nothing was learned. */
  memory_floor: number | null;
}

export async function claimAttempts(
  db: Queryable,
  claim: { executor: string; holder: string; limit: number; leaseMs: number },
  now: Date,
): Promise<ClaimedAttempt[]> {
  const { rows } = await db.query<ClaimedAttempt>({
    name: "claim_attempts",
    text: `
      with claimed as (
        update attempt set state = 'launching', claimed_by = $2, claimed_until = $4
        where id in (
          select id from attempt
          where executor = $1 and state in ('queued', 'launching') and stop_requested_at is null
            and (launch_after is null or launch_after <= $3) and (state = 'queued' or claimed_until <= $3)
          order by queued_at limit $5 for update skip locked)
        returning *)
      select c.id as attempt_id, c.epoch, r.dag_id, r.dag_run_id as run_id, t.task_id, t.map_index, c.try_number,
        c.namespace, c.pod_name, r.version_id, c.launch_failures, c.waiting_since,
        t.scheduled_at, c.queued_at, m.bytes as memory_floor
      from claimed c join task_instance t on t.id = c.task_instance_id join dag_run r on r.id = t.run_id
        left join memory_floor m on m.dag_id = r.dag_id and m.task_id = t.task_id
      order by c.queued_at`,
    values: [claim.executor, claim.holder, now, new Date(now.getTime() + claim.leaseMs), claim.limit],
  });
  return rows;
}

/** Of launches that are still under way. Returns the attempts that are still the holder's. */
export async function extendClaims(
  db: Queryable,
  claim: { attemptIds: readonly string[]; holder: string },
  until: Date,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: "extend_claims",
    // What has been seen to be launched, or taken over, since is left alone.
    text: `update attempt set claimed_until = $3 where id = any ($1::uuid[]) and claimed_by = $2 and state = 'launching'
      returning id`,
    values: [claim.attemptIds, claim.holder, until],
  });
  return rows.map(({ id }) => id);
}

/** When a launch that was put off is due; null when none is. */
export async function findNextLaunch(db: Queryable, executor: string, now: Date): Promise<Date | null> {
  const { rows } = await db.query<{ next_due: Date | null }>({
    name: "next_launch",
    text: `select min(greatest(launch_after, case when state = 'launching' then claimed_until end)) as next_due from attempt
      where executor = $1 and state in ('queued', 'launching')
        and greatest(launch_after, case when state = 'launching' then claimed_until end) > $2`,
    values: [executor, now],
  });
  return rows[0]?.next_due ?? null;
}

/** The task's own, in seconds; null: the installation's. */
export interface LaunchLimits {
  schedule_timeout: number | null;
  start_timeout: number | null;
}

export type LaunchRecord = { attempt_id: string } & (
  | { kind: "launched"; pod_uid: string; limits?: LaunchLimits }
  | { kind: "put_off"; reason: string; launch_after: Date }
  | { kind: "ended"; outcome: Outcome }
);

/**
 * Writes what became of launches. A worker may have started, even ended, before this: nothing of that is undone. A pod is there
 * whoever made it; any other end counts only while the claim is the holder's, because another may be making the pod.
 */
export async function recordLaunches(
  db: Database,
  rules: OutcomeRules,
  holder: string,
  records: readonly LaunchRecord[],
  now: Date,
): Promise<void> {
  const launched = records.filter((record) => record.kind === "launched");
  const putOff = records.filter((record) => record.kind === "put_off");
  const ended = records.filter((record) => record.kind === "ended");
  await db.transaction(async (tx) => {
    if (launched.length > 0) {
      const { rows } = await tx.query<{ is_unwanted: boolean; has_remains: boolean }>({
        name: "record_launched",
        // What was cleaned up without this pod is to be cleaned up again: see reopenCleaned in observations.ts.
        text: `
          update attempt a set pod_uid = case when a.cleaned_at is null then coalesce(a.pod_uid, l.pod_uid) else l.pod_uid end,
            cleaned_at = case when a.pod_uid = l.pod_uid then a.cleaned_at end,
            pod_gone_at = case when a.cleaned_at is null or a.pod_uid = l.pod_uid then a.pod_gone_at end,
            launched_at = coalesce(a.launched_at, $3),
            state = case when a.state in ('queued', 'launching') then 'launched' else a.state end, claimed_until = null,
            schedule_timeout = l.schedule_timeout, start_timeout = l.start_timeout,
            waiting_kind = case when a.state in ('queued', 'launching') then null else a.waiting_kind end,
            waiting_reason = case when a.state in ('queued', 'launching') then null else a.waiting_reason end,
            waiting_since = case when a.state in ('queued', 'launching') then null else a.waiting_since end
          from unnest($1::uuid[], $2::text[], $4::float8[], $5::float8[]) as l (id, pod_uid, schedule_timeout, start_timeout)
          where a.id = l.id
          returning a.stop_requested_at is not null as is_unwanted, a.state = 'finished' and a.cleaned_at is null as has_remains`,
        values: [
          launched.map((record) => record.attempt_id),
          launched.map((record) => record.pod_uid),
          now,
          launched.map((record) => record.limits?.schedule_timeout ?? null),
          launched.map((record) => record.limits?.start_timeout ?? null),
        ],
      });
      if (rows.some((row) => row.is_unwanted)) await notifyWork(tx, "stop");
      if (rows.some((row) => row.has_remains)) await notifyWork(tx, "clean");
    }
    if (putOff.length > 0) {
      await tx.query({
        name: "record_put_off",
        text: `
          update attempt a set state = 'queued', launch_failures = a.launch_failures + 1, launch_after = p.launch_after,
            waiting_kind = 'starting', waiting_reason = p.reason, waiting_since = coalesce(a.waiting_since, $4),
            claimed_until = null
          from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as p (id, reason, launch_after)
          where a.id = p.id and a.state = 'launching' and a.claimed_by = $5`,
        values: [
          putOff.map((record) => record.attempt_id),
          putOff.map((record) => cleanText(record.reason)),
          putOff.map((record) => record.launch_after),
          now,
          holder,
        ],
      });
    }
    const unlaunched = await lockUnlaunched(
      tx,
      ended.map((record) => record.attempt_id),
      holder,
    );
    const ends = ended
      .filter((record) => unlaunched.has(record.attempt_id))
      .map(({ attempt_id, outcome }) => ({ attempt_id, outcome, process_ended: true }));
    await recordOutcomes(tx, rules, ends, now);
  });
}

/** Without those that an earlier create, whose answer was lost, has brought to life: a refused repeat says nothing of them. */
async function lockUnlaunched(tx: Queryable, attemptIds: readonly string[], holder: string): Promise<Set<string>> {
  if (attemptIds.length === 0) return new Set();
  // The lock holds off a start until the outcome is written, which then refuses it.
  const { rows } = await tx.query<{ id: string }>({
    name: "lock_unlaunched",
    text: `select id from attempt where id = any ($1::uuid[]) and state = 'launching' and claimed_by = $2
      order by id for no key update`,
    values: [attemptIds, holder],
  });
  return new Set(rows.map((row) => row.id));
}
