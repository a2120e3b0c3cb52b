// Writes how attempts ended, each once, and moves their task instances on. Whoever comes first wins: the worker's own report
// or what was seen of its pod. An attempt that is not its instance's newest is only closed; the instance does not move.

import { type AfterAttempt, decideAfterAttempt, decideAfterClear, quarantineOf } from "../core/after-attempt.ts";
import { type EmittedEvent, planAssetEvents } from "../core/asset-events.ts";
import { cleanText } from "../core/clean-text.ts";
import type { Outcome } from "../core/outcome.ts";
import { judgeStopped } from "../core/stop-attempt.ts";
import { eventOf } from "../core/callback.ts";
import { enqueueTaskCallbacks } from "./callbacks.ts";
import { recordAssetEvents } from "./asset-events.ts";
import type { Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { growMemory, learnMemory, sayGrowth } from "./memory-floors.ts";
import { notifyWork } from "./wake-up.ts";

/** What the rules of an attempt's end need beside the rows. */
export interface OutcomeRules {
  versions: VersionCache;
  /** Faults of the cluster that one task instance may suffer before it fails. */
  infrastructureBudget: number;
  /** Seconds after its last heartbeat by which a worker must have stopped itself. */
  fence: number;
}

export interface AttemptEnd {
  attempt_id: string;
  outcome: Outcome;
  /** See core/observation.ts. */
  process_ended: boolean;
  /** What its worker emitted, of outlets of its task; each other outlet of a success has one event without data. */
  asset_events?: readonly EmittedEvent[];
  /** Bytes, as its worker says at its end. */
  memory_peak?: number | null;
}

interface OpenAttempt {
  attempt_id: string;
  task_instance_id: string;
  task_id: string;
  dag_run_id: string;
  map_index: number;
  version_id: number;
  current: boolean;
  try_number: number;
  max_tries: number;
  infrastructure_failures: number;
  heartbeat_at: Date | null;
  /** It was cleared: whatever its end, it is executed anew. */
  restarting: boolean;
  /** It may be wanted again, by a later expansion of its map. */
  removed: boolean;
  stop_reason: string | null;
  dag_id: string;
  memory_limit: number | null;
}

/** Returns the attempts whose outcome this call wrote; the others had one already. */
export async function recordOutcomes(
  tx: Queryable,
  rules: OutcomeRules,
  ends: readonly AttemptEnd[],
  now: Date,
): Promise<{ attempt_id: string; task_instance_id: string; after: AfterAttempt | null }[]> {
  if (ends.length === 0) return [];
  const open = await lockOpenAttempts(tx, ends);
  const byAttempt = new Map(ends.map((end) => [end.attempt_id, end]));
  const decided = await Promise.all(
    open.map(async (attempt) => {
      const end = byAttempt.get(attempt.attempt_id);
      if (!end) throw new Error(`no outcome for locked attempt ${attempt.attempt_id}`);
      const { process_ended } = end;
      const outcome = judgeStopped({ ...end.outcome, reason: cleanText(end.outcome.reason) }, attempt.stop_reason);
      const { graph } = await rules.versions.loadVersion(tx, attempt.version_id);
      const task = graph.tasks.get(attempt.task_id);
      const policy = task ?? { retry_delay: 0 };
      const seed = `${graph.dag_id} ${attempt.task_id} ${attempt.dag_run_id} ${attempt.map_index}`;
      const quarantine = quarantineOf({ process_ended, heartbeat_at: attempt.heartbeat_at }, rules.fence, now);
      const after = !attempt.current
        ? null
        : attempt.restarting
          ? decideAfterClear(attempt, quarantine)
          : decideAfterAttempt(outcome, policy, attempt, rules.infrastructureBudget, quarantine, seed);
      const grown = outcome.kind === "out_of_memory" ? growMemory(task, attempt.memory_limit) : null;
      const emitted = after?.state === "success" ? planAssetEvents(task, end.asset_events ?? []) : [];
      const { dag_run_id: run_id, task_id, map_index } = attempt;
      const source = { dag_id: graph.dag_id, run_id, task_id, map_index };
      const events = emitted.map((event) => ({ ...event, source }));
      const { memory_peak = null } = end;
      return { attempt, outcome, memory_peak, grown, after: after && sayGrowth(after, grown), events, quarantine };
    }),
  );
  if (decided.length === 0) return [];
  await learnMemory(
    tx,
    decided.flatMap(({ attempt, grown }) => (grown ? [{ ...attempt, ...grown }] : [])),
    now,
  );
  await closeAttempts(
    tx,
    decided.map(({ attempt, outcome, memory_peak }) => ({ attempt_id: attempt.attempt_id, outcome, memory_peak })),
    now,
  );
  await moveInstances(
    tx,
    decided.flatMap(({ attempt, after }) => (after ? [{ id: attempt.task_instance_id, ...after }] : [])),
    now,
  );
  await holdRemoved(
    tx,
    decided.flatMap(({ attempt, quarantine }) =>
      attempt.removed && quarantine > 0 ? [{ id: attempt.task_instance_id, quarantine }] : [],
    ),
    now,
  );
  await enqueueTaskCallbacks(
    tx,
    rules.versions,
    decided.flatMap(({ attempt, after }) => {
      if (!after) return [];
      const sameTry = after.infrastructure_failures > attempt.infrastructure_failures;
      return [{ ...attempt, event: eventOf(after.state, sameTry) }];
    }),
    now,
  );
  await recordAssetEvents(
    tx,
    decided.flatMap(({ events }) => events),
    now,
  );
  await notifyWork(tx, "clean", "advance", "queue");
  return decided.map(({ attempt, after }) => ({
    attempt_id: attempt.attempt_id,
    task_instance_id: attempt.task_instance_id,
    after,
  }));
}

async function lockOpenAttempts(tx: Queryable, ends: readonly AttemptEnd[]): Promise<OpenAttempt[]> {
  // In the order of ids, so that two batches cannot wait for each other.
  const { rows } = await tx.query<OpenAttempt>({
    name: "lock_open_attempts",
    text: `
      select a.id as attempt_id, a.task_instance_id, t.task_id, t.map_index, r.dag_run_id, r.version_id, t.try_number, t.max_tries,
        t.infrastructure_failures, a.heartbeat_at, a.stop_reason, t.state = 'restarting' as restarting,
        t.state is not distinct from 'removed' and a.epoch = t.epoch as removed, r.dag_id, a.memory_limit,
        a.epoch = t.epoch and t.state in ('queued', 'running', 'restarting') as current
      from attempt a join task_instance t on t.id = a.task_instance_id join dag_run r on r.id = t.run_id
      where a.id = any ($1::uuid[]) and a.outcome is null
      order by a.id for no key update of a, t`,
    values: [ends.map((end) => end.attempt_id)],
  });
  return rows;
}

async function closeAttempts(
  tx: Queryable,
  ends: readonly Pick<AttemptEnd, "attempt_id" | "outcome" | "memory_peak">[],
  now: Date,
): Promise<void> {
  await tx.query({
    name: "close_attempts",
    text: `
      update attempt a set state = 'finished', finished_at = $6::timestamptz, outcome = e.outcome, outcome_reason = e.reason,
        exit_code = e.exit_code, error = e.error::jsonb, memory_peak = greatest(a.memory_peak, e.memory_peak), waiting_kind = null, waiting_reason = null, waiting_since = null,
        cleaned_at = coalesce(a.cleaned_at, case when a.pod_gone_at is not null then $6::timestamptz end), claimed_until = null
      from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $7::bigint[])
        as e (id, outcome, reason, exit_code, error, memory_peak)
      where a.id = e.id`,
    values: [
      ends.map((end) => end.attempt_id),
      ends.map((end) => end.outcome.kind),
      ends.map((end) => end.outcome.reason),
      ends.map((end) => end.outcome.exit_code),
      ends.map((end) => (end.outcome.error === null ? null : JSON.stringify(end.outcome.error))),
      now,
      ends.map((end) => end.memory_peak ?? null),
    ],
  });
}

async function moveInstances(
  tx: Queryable,
  moves: readonly (AfterAttempt & { id: string })[],
  now: Date,
): Promise<void> {
  await tx.query({
    name: "move_instances",
    text: `
      update task_instance t set state = m.state, reason = m.reason, infrastructure_failures = m.failures,
        same_try = m.failures > t.infrastructure_failures, counted = false,
        retry_at = $6::timestamptz + m.retry_in * interval '1 second',
        end_date = case when m.retry_in is null then $6::timestamptz end
      from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::float8[]) as m (id, state, reason, failures, retry_in)
      where t.id = m.id`,
    values: [
      moves.map((move) => move.id),
      moves.map((move) => move.state),
      moves.map((move) => move.reason),
      moves.map((move) => move.infrastructure_failures),
      moves.map((move) => move.retry_in),
      now,
    ],
  });
}

/** Until their old workers must have stopped, nothing of them is launched, should they be expanded again. */
async function holdRemoved(
  tx: Queryable,
  held: readonly { id: string; quarantine: number }[],
  now: Date,
): Promise<void> {
  if (held.length === 0) return;
  await tx.query({
    name: "hold_removed",
    text: `update task_instance t set retry_at = $3::timestamptz + h.seconds * interval '1 second'
      from unnest($1::uuid[], $2::float8[]) as h (id, seconds) where t.id = h.id`,
    values: [held.map(({ id }) => id), held.map(({ quarantine }) => quarantine), now],
  });
}
