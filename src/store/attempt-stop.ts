// Attempts that someone wants to end. The wish is a column: heartbeats pass it on to workers, the scheduler has the executor
// end what runs, and whichever of the two is quicker gives the task its grace.

import { cancelledBecause, decideStop } from "../core/stop-attempt.ts";
import type { AttemptHandle } from "./attempt-clean.ts";
import { type AttemptEnd, type OutcomeRules, recordOutcomes } from "./attempt-outcome.ts";
import type { Database, Queryable } from "./database.ts";
import { notifyWork } from "./wake-up.ts";

/** Those that were never handed out end at once. */
export async function requestStops(
  tx: Queryable,
  rules: OutcomeRules,
  stops: readonly { attempt_id: string; is_queued: boolean; reason: string }[],
  now: Date,
): Promise<void> {
  if (stops.length === 0) return;
  await tx.query({
    name: "request_stops",
    text: `update attempt a set stop_requested_at = $3, stop_reason = s.reason, claimed_until =
        case when a.state = 'launching' then a.claimed_until end
      from unnest($1::uuid[], $2::text[]) as s (id, reason)
      where a.id = s.id and a.outcome is null and a.stop_requested_at is null`,
    values: [stops.map(({ attempt_id }) => attempt_id), stops.map(({ reason }) => reason), now],
  });
  const ends = stops.filter(({ is_queued }) => is_queued);
  await recordOutcomes(tx, rules, ends.map(toEnd), now);
  await notifyWork(tx, "stop");
}

function toEnd({ attempt_id, reason }: { attempt_id: string; reason: string }): AttemptEnd {
  return { attempt_id, outcome: cancelledBecause(reason), process_ended: true };
}

/** An attempt that is to be ended by its executor. */
export interface Stop extends AttemptHandle {
  task_id: string;
  version_id: number;
  stop_requested_at: Date;
  stop_reason: string;
}

interface StopRow extends Stop {
  state: "queued" | "launching" | "launched" | "running";
  claimed_until: Date | null;
}

/** Ends what was never handed out; what runs is returned, and offered again after `leaseMs` until it has ended. */
export async function claimStops(
  db: Database,
  rules: OutcomeRules,
  claim: { executor: string; holder: string; limit: number; leaseMs: number },
  now: Date,
): Promise<Stop[]> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<StopRow>({
      name: "claim_stops",
      // The row's own claim: nobody launches an attempt that is to stop.
      text: `
        select a.id as attempt_id, a.epoch, a.namespace, a.pod_name, a.pod_uid, a.state, a.claimed_until, a.stop_requested_at,
          a.stop_reason, t.task_id, r.version_id
        from attempt a join task_instance t on t.id = a.task_instance_id join dag_run r on r.id = t.run_id
        where a.executor = $1 and a.stop_requested_at is not null and a.state <> 'finished'
          and (a.claimed_until is null or a.claimed_until <= $2)
        order by a.stop_requested_at limit $3 for update of a skip locked`,
      values: [claim.executor, now, claim.limit],
    });
    const steps = Map.groupBy(rows, (row) => decideStop(row, now));
    const ends = (steps.get("end") ?? []).map((row) => toEnd({ attempt_id: row.attempt_id, reason: row.stop_reason }));
    await recordOutcomes(tx, rules, ends, now);
    const removals = steps.get("remove") ?? [];
    if (removals.length > 0) {
      await tx.query({
        name: "hold_stops",
        text: "update attempt set claimed_by = $2, claimed_until = $3 where id = any ($1::uuid[])",
        values: [removals.map(({ attempt_id }) => attempt_id), claim.holder, new Date(now.getTime() + claim.leaseMs)],
      });
    }
    return removals;
  });
}

/** Of those there is no pod or process. Whether its worker still runs somewhere is not known: see quarantineOf. */
export async function recordStopped(
  db: Database,
  rules: OutcomeRules,
  stops: readonly Stop[],
  now: Date,
): Promise<void> {
  const ends = stops.map(({ attempt_id, stop_reason }) => ({
    attempt_id,
    outcome: cancelledBecause(stop_reason),
    process_ended: false,
  }));
  if (ends.length > 0) await db.transaction((tx) => recordOutcomes(tx, rules, ends, now));
}
