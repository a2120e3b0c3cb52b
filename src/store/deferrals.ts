// Task instances that wait without a pod: begun when they are queued, looked at under a lease by whichever scheduler
// comes first, ended in one transaction with their result. A look that outlived its lease, or its wait, changes nothing.

import { decideAfterAttempt } from "../core/after-attempt.ts";
import { eventOf } from "../core/callback.ts";
import { cleanText } from "../core/clean-text.ts";
import type { WaitVerdict } from "../core/judge-wait.ts";
import type { Json } from "../core/json.ts";
import type { OutcomeRules } from "./attempt-outcome.ts";
import { enqueueTaskCallbacks } from "./callbacks.ts";
import type { VersionCache } from "./dag-versions.ts";
import type { Database, Queryable } from "./database.ts";
import { RUN_COLUMNS, type RunRow } from "./run-row.ts";
import { saveResults } from "./task-results.ts";
import { notifyWork } from "./wake-up.ts";

export interface Wait {
  id: string;
  /** Of its operator. */
  kind: string;
}

/** Of scheduled instances whose turn it is. */
export async function beginDeferrals(tx: Queryable, waits: readonly Wait[], now: Date): Promise<void> {
  if (waits.length === 0) return;
  await tx.query({
    name: "begin_deferrals",
    // A row is left from before when a person took the instance out of its wait.
    text: `
      with begun as (
        update task_instance t set state = 'deferred', try_number = t.try_number + 1, start_date = $3, end_date = null,
          reason = 'is about to be looked at'
        from unnest($1::uuid[], $2::text[]) as w (id, kind) where t.id = w.id and t.state = 'scheduled'
        returning t.id, w.kind)
      insert into deferral (task_instance_id, kind, began_at, looks, due_at) select id, kind, $3, 0, $3 from begun
      on conflict (task_instance_id) do update set kind = excluded.kind, began_at = excluded.began_at, looks = 0,
        due_at = excluded.due_at, first_look_at = null, awaited_run_id = null, leased_by = null, leased_until = null`,
    values: [waits.map(({ id }) => id), waits.map(({ kind }) => kind), now],
  });
  await notifyWork(tx, "defer");
}

/** One look at one wait. */
export interface Look {
  task_instance_id: string;
  /** Which wait: one that begins anew counts its looks from 1 again. */
  began_at: Date;
  /** This one included. */
  looks: number;
}

export interface ClaimedWait extends RunRow, Look {
  task_id: string;
  map_index: number;
  map_positions: number[] | null;
  version_id: number;
  try_number: number;
  max_tries: number;
  infrastructure_failures: number;
  first_look_at: Date;
  awaited_run_id: number | null;
}

/** Takes waits that are due, each by one scheduler at a time. */
export async function claimDueWaits(
  db: Queryable,
  claim: { holder: string; limit: number; leaseMs: number },
  now: Date,
): Promise<ClaimedWait[]> {
  const { rows } = await db.query<ClaimedWait>({
    name: "claim_waits",
    text: `
      with due as (
        -- In the index's order; what another scheduler is about to take is passed by.
        select d.task_instance_id from deferral d
        where d.due_at <= $1 and (d.leased_until is null or d.leased_until <= $1)
        order by d.due_at limit $2 for update skip locked),
      -- A person took them out of their wait.
      stale as (
        delete from deferral d using due, task_instance t
        where d.task_instance_id = due.task_instance_id and t.id = d.task_instance_id and t.state is distinct from 'deferred'),
      leased as (
        update deferral d set leased_by = $3, leased_until = $1 + $4 * interval '1 millisecond', looks = d.looks + 1,
          first_look_at = coalesce(d.first_look_at, $1)
        from due, task_instance t
        where d.task_instance_id = due.task_instance_id and t.id = d.task_instance_id and t.state = 'deferred'
        returning d.task_instance_id, d.began_at, d.first_look_at, d.looks, d.awaited_run_id, t.run_id, t.task_id,
          t.map_index, t.map_positions, t.try_number, t.max_tries, t.infrastructure_failures)
      select l.*, ${RUN_COLUMNS}, r.version_id
      from leased l join dag_run r on r.id = l.run_id`,
    values: [now, claim.limit, claim.holder, claim.leaseMs],
  });
  return rows;
}

/** Moves the ends of leases; returns the looks that nobody else has repeated, and nobody ended, since. */
export async function extendWaits(db: Queryable, looks: readonly Look[], until: Date): Promise<Look[]> {
  const { rows } = await db.query<Look>({
    name: "extend_waits",
    text: `update deferral d set leased_until = $4 from unnest($1::uuid[], $2::timestamptz[], $3::int[]) as l (id, began_at, looks)
      where d.task_instance_id = l.id and d.began_at = l.began_at and d.looks = l.looks
      returning d.task_instance_id, d.began_at, d.looks`,
    values: [...columnsOf(looks), until],
  });
  return rows;
}

function columnsOf(looks: readonly Look[]) {
  return [
    looks.map(({ task_instance_id }) => task_instance_id),
    looks.map(({ began_at }) => began_at),
    looks.map((look) => look.looks),
  ];
}

export async function findNextWait(db: Queryable, now: Date): Promise<Date | null> {
  const { rows } = await db.query<{ due_at: Date }>({
    name: "next_wait",
    text: "select due_at from deferral where due_at > $1 order by due_at limit 1",
    values: [now],
  });
  return rows[0]?.due_at ?? null;
}

export interface WaitRecord {
  wait: Omit<ClaimedWait, "first_look_at">;
  verdict: WaitVerdict;
  awaited_run_id?: number | null;
}

/** Writes down what looks came to. */
export async function recordWaits(
  db: Database,
  rules: OutcomeRules,
  records: readonly WaitRecord[],
  now: Date,
): Promise<{ ended: number }> {
  return db.transaction(async (tx) => {
    const ends: WaitEnd[] = [];
    const later: Later[] = [];
    for (const { wait, verdict, awaited_run_id = null } of records) {
      if (verdict.kind === "wait") {
        later.push({ ...wait, due_at: verdict.due_at, reason: verdict.reason, awaited_run_id, next_try: false });
        continue;
      }
      const { graph } = await rules.versions.loadVersion(tx, wait.version_id);
      const policy = graph.tasks.get(wait.task_id) ?? { retry_delay: 0 };
      const seed = `${wait.dag_id} ${wait.task_id} ${wait.run_id} ${wait.map_index}`;
      const after = decideAfterAttempt(verdict.outcome, policy, wait, rules.infrastructureBudget, 0, seed);
      if (after.state === "up_for_retry" || after.state === "restarting") {
        // It holds nothing, so it waits for its next try as it waits for all else.
        const due = new Date(now.getTime() + (after.retry_in ?? 0) * 1000);
        later.push({ ...wait, due_at: due, reason: after.reason ?? "", awaited_run_id: null, next_try: true });
      } else {
        const reason = after.reason ?? verdict.outcome.reason;
        ends.push({ ...wait, state: after.state, reason, result: verdict.result });
      }
    }
    const tried = await putOff(tx, later);
    await enqueueTaskCallbacks(
      tx,
      rules.versions,
      records.flatMap(({ wait }) => (tried.has(wait.task_instance_id) ? [{ ...wait, event: "retry" as const }] : [])),
      now,
    );
    return { ended: (await endWaits(tx, rules.versions, ends, now)).length };
  });
}

interface Later extends Look {
  due_at: Date | null;
  reason: string;
  awaited_run_id: number | null;
  next_try: boolean;
}

/** Returns those that go into their next try. */
async function putOff(tx: Queryable, later: readonly Later[]): Promise<Set<string>> {
  if (later.length === 0) return new Set();
  const { rows } = await tx.query<{ id: string; next_try: boolean }>({
    name: "put_off_waits",
    text: `
      with later as (
        select * from unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::timestamptz[], $5::text[], $6::bigint[], $7::bool[])
          as l (id, began_at, looks, due_at, reason, awaited_run_id, next_try)),
      kept as (
        update deferral d set due_at = l.due_at, awaited_run_id = l.awaited_run_id, leased_by = null, leased_until = null
        -- One that has been written down holds no lease: its transaction may be repeated when nobody said that it took effect.
        from later l where d.task_instance_id = l.id and d.began_at = l.began_at and d.looks = l.looks
          and d.leased_until is not null
        returning l.id, l.reason, l.next_try)
      update task_instance t set reason = k.reason, try_number = t.try_number + k.next_try::int
      from kept k where t.id = k.id and t.state = 'deferred' returning t.id, k.next_try`,
    values: [
      ...columnsOf(later),
      later.map((one) => one.due_at),
      later.map((one) => cleanText(one.reason)),
      later.map((one) => one.awaited_run_id),
      later.map((one) => one.next_try),
    ],
  });
  return new Set(rows.flatMap(({ id, next_try }) => (next_try ? [id] : [])));
}

/** The look that ended it, or the last before a person did. */
export interface WaitEnd extends Look {
  task_id: string;
  version_id: number;
  state: "success" | "skipped" | "failed";
  reason: string;
  result: Json;
}

/** Ends waits; those that another look or a person has ended are left alone. Returns the ids of those that it ended. */
export async function endWaits(
  tx: Queryable,
  versions: VersionCache,
  ends: readonly WaitEnd[],
  now: Date,
): Promise<string[]> {
  if (ends.length === 0) return [];
  const { rows } = await tx.query<{ id: string }>({
    name: "end_waits",
    text: `
      with ended as (
        delete from deferral d
        using unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::text[], $5::text[]) as e (id, began_at, looks, state, reason)
        where d.task_instance_id = e.id and d.began_at = e.began_at and d.looks = e.looks returning e.id, e.state, e.reason),
      -- Whatever ended the wait, so that the next one waits anew.
      taken as (delete from early_event v using ended e where v.task_instance_id = e.id)
      update task_instance t set state = e.state, reason = e.reason, end_date = $6, counted = false
      from ended e where t.id = e.id and t.state = 'deferred' returning t.id`,
    values: [...columnsOf(ends), ends.map((end) => end.state), ends.map((end) => cleanText(end.reason)), now],
  });
  const ids = new Set(rows.map(({ id }) => id));
  // Also of those that a person rejected: the answer is what the result says.
  const kept = ends.filter(({ state, result }) => state === "success" || (state === "skipped" && result !== null));
  const results = kept.filter((end) => ids.has(end.task_instance_id));
  await saveResults(
    tx,
    results.map(({ task_instance_id, result }) => ({ task_instance_id, value: result })),
    now,
  );
  const ended = ends.filter((end) => ids.has(end.task_instance_id));
  await enqueueTaskCallbacks(
    tx,
    versions,
    ended.map((end) => ({ ...end, event: eventOf(end.state, false) })),
    now,
  );
  if (ids.size > 0) await notifyWork(tx, "advance");
  return [...ids];
}
