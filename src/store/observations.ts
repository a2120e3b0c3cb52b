// What executors saw of pods and processes, and how far they have looked: one transaction for a batch and its position, under
// the token of the lease that allows the watch. An observation of an ended attempt adds to its timeline and changes nothing,
// unless it is of a pod that nobody knew of.

import { cleanText } from "../core/clean-text.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import type { Observation } from "../core/observation.ts";
import type { AttemptEnd, OutcomeRules } from "./attempt-outcome.ts";
import { recordOutcomes } from "./attempt-outcome.ts";
import { takeContainerResults } from "./container-results.ts";
import type { Database, Queryable } from "./database.ts";
import { assertLease, type Lease } from "./leases.ts";
import { saveResults } from "./task-results.ts";
import { notifyWork } from "./wake-up.ts";

export interface ObservationBatch {
  /** Whose attempts they are of: anyone may write an attempt's marks on a pod of another cluster. */
  executor: ExecutorName;
  observations: Observation[];
  position: { key: string; resource_version: string } | null;
  lease: Lease | null;
}

/** Errors: lease_lost. */
export async function recordObservations(
  db: Database,
  rules: OutcomeRules,
  batch: ObservationBatch,
  now: Date,
): Promise<void> {
  await db.transaction(async (tx) => {
    if (batch.lease) await assertLease(tx, batch.lease);
    const merged = mergeObservations(batch.observations);
    if (merged.length > 0) {
      const own = await updateTimelines(tx, batch.executor, merged, now);
      const ours = merged.filter((seen) => own.has(podKey(seen)));
      const others = merged.filter((seen) => !own.has(podKey(seen)) && !seen.gone);
      await reopenCleaned(tx, batch.executor, others);
      await startContainers(tx, ours, now);
      const ended = await recordOutcomes(tx, rules, ours.flatMap(toEnd), now);
      const results = new Map(
        ours.flatMap((seen) => (seen.container ? [[seen.attempt_id, seen.container.result]] : [])),
      );
      const delivered = await takeContainerResults(
        tx,
        ours.flatMap((seen) => (seen.container?.from_file && seen.outcome ? [seen.attempt_id] : [])),
      );
      for (const [attemptId, value] of delivered) results.set(attemptId, value);
      await saveResults(
        tx,
        ended.flatMap(({ attempt_id, task_instance_id, after }) => {
          const value = results.get(attempt_id);
          return value !== undefined && after?.state === "success" ? [{ task_instance_id, value }] : [];
        }),
        now,
      );
    }
    if (batch.position) await savePosition(tx, batch.position, now);
  });
}

/** The last observation of each pod counts, but an outcome or a disappearance seen earlier in the batch stays seen. */
function mergeObservations(observations: readonly Observation[]): Observation[] {
  const merged = new Map<string, Observation>();
  for (const observation of observations) {
    const key = podKey(observation);
    const before = merged.get(key);
    merged.set(key, {
      ...observation,
      outcome: before?.outcome ?? observation.outcome,
      container: before?.outcome ? before.container : observation.container,
      process_ended: observation.process_ended || (before?.process_ended ?? false),
      gone: observation.gone || (before?.gone ?? false),
    });
  }
  return [...merged.values()].toSorted((a, b) => (a.attempt_id < b.attempt_id ? -1 : 1));
}

/** Another pod may carry the same attempt's marks: a person's copy, or one of a create that was repeated. */
function podKey({ attempt_id, pod_uid }: { attempt_id: string; pod_uid: string }): string {
  return `${attempt_id} ${pod_uid}`;
}

function toEnd(observation: Observation): AttemptEnd[] {
  const { attempt_id, outcome, process_ended, gone } = observation;
  if (outcome) return [{ attempt_id, outcome, process_ended }];
  if (!gone) return [];
  return [
    {
      attempt_id,
      process_ended,
      outcome: { kind: "lost", reason: "its pod vanished before an end was seen", exit_code: null, error: null },
    },
  ];
}

/** Returns the keys of the pods that really are the attempts': one of another uid under the same name is not. */
async function updateTimelines(
  tx: Queryable,
  executor: ExecutorName,
  observations: readonly Observation[],
  now: Date,
): Promise<Set<string>> {
  const { rows } = await tx.query<{ attempt_id: string; pod_uid: string }>({
    name: "update_timelines",
    text: `
      update attempt a set
        pod_uid = coalesce(a.pod_uid, o.pod_uid),
        state = case when a.state in ('queued', 'launching') then 'launched' else a.state end,
        launched_at = coalesce(a.launched_at, $9::timestamptz),
        pod_scheduled_at = coalesce(a.pod_scheduled_at, o.pod_scheduled_at),
        container_started_at = coalesce(a.container_started_at, o.container_started_at),
        image_pulled_at = coalesce(a.image_pulled_at, o.image_pulled_at),
        memory_limit = coalesce(o.memory_limit, a.memory_limit),
        waiting_kind = case when a.state in ('running', 'finished') then null else o.waiting_kind end,
        waiting_reason = case a.state when 'finished' then null when 'running' then o.trouble else o.waiting_reason end,
        waiting_since = case when a.state in ('running', 'finished') or o.waiting_kind is null then null
          when a.waiting_kind = o.waiting_kind then a.waiting_since else $9::timestamptz end,
        pod_gone_at = case when o.gone then coalesce(a.pod_gone_at, $9::timestamptz) else a.pod_gone_at end,
        cleaned_at = case when o.gone and a.state = 'finished' then coalesce(a.cleaned_at, $9::timestamptz) else a.cleaned_at end
      from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::bool[],
        $10::timestamptz[], $11::bigint[], $13::text[])
        as o (id, epoch, pod_uid, pod_scheduled_at, container_started_at, waiting_kind, waiting_reason, gone, image_pulled_at,
          memory_limit, trouble)
      where a.id = o.id and a.epoch = o.epoch and a.executor = $12
        and (a.pod_uid = o.pod_uid or (a.pod_uid is null and a.cleaned_at is null))
      returning a.id as attempt_id, o.pod_uid`,
    values: [
      observations.map((observation) => observation.attempt_id),
      observations.map((observation) => observation.epoch),
      observations.map((observation) => observation.pod_uid),
      observations.map((observation) => observation.pod_scheduled_at),
      observations.map((observation) => observation.container_started_at),
      observations.map((observation) => observation.waiting?.kind ?? null),
      observations.map(({ waiting }) => (waiting ? cleanText(waiting.reason) : null)),
      observations.map((observation) => observation.gone),
      now,
      observations.map((observation) => observation.image_pulled_at ?? null),
      observations.map((observation) => observation.memory_limit ?? null),
      executor,
      observations.map(({ trouble }) => (trouble ? cleanText(trouble) : null)),
    ],
  });
  return new Set(rows.map(podKey));
}

/**
 * A create may take effect after its attempt has ended and nothing was left of it. Its pod would run, and a container that
 * nobody can refuse would run once more: it is to be removed as any other.
 */
async function reopenCleaned(
  tx: Queryable,
  executor: ExecutorName,
  observations: readonly Observation[],
): Promise<void> {
  if (observations.length === 0) return;
  const { rowCount } = await tx.query({
    name: "reopen_cleaned",
    text: `
      update attempt a set pod_uid = o.pod_uid, pod_gone_at = null, cleaned_at = null
      from unnest($1::uuid[], $2::int[], $3::text[]) as o (id, epoch, pod_uid)
      where a.id = o.id and a.epoch = o.epoch and a.executor = $4 and a.cleaned_at is not null`,
    values: [
      observations.map(({ attempt_id }) => attempt_id),
      observations.map(({ epoch }) => epoch),
      observations.map(({ pod_uid }) => pod_uid),
      executor,
    ],
  });
  if (rowCount > 0) await notifyWork(tx, "clean");
}

/** Where there is no worker to say so, the container's start is the attempt's, and what was seen of it is the first sign. */
async function startContainers(tx: Queryable, observations: readonly Observation[], now: Date): Promise<void> {
  const started = observations.filter((seen) => seen.container !== null && seen.container_started_at !== null);
  if (started.length === 0) return;
  await tx.query({
    name: "start_containers",
    text: `
      with started as (
        update attempt a set state = 'running', started_at = s.at, waiting_kind = null, waiting_reason = null,
          waiting_since = null, claimed_until = null
        from unnest($1::uuid[], $2::timestamptz[]) as s (id, at), task_instance t
        where a.id = s.id and t.id = a.task_instance_id and a.epoch = t.epoch and t.state = 'queued'
          and a.state = 'launched' and a.outcome is null
        returning a.id, a.task_instance_id, s.at),
      followed as (
        insert into container_log (attempt_id, next_seq, read_after) select id, 0, $3::timestamptz from started
        on conflict do nothing)
      update task_instance t set state = 'running', reason = null, start_date = coalesce(t.start_date, s.at)
      from started s where t.id = s.task_instance_id`,
    values: [started.map((seen) => seen.attempt_id), started.map((seen) => seen.container_started_at), now],
  });
}

async function savePosition(
  tx: Queryable,
  position: { key: string; resource_version: string },
  now: Date,
): Promise<void> {
  await tx.query({
    name: "save_position",
    text: `insert into watch_position (key, resource_version, updated_at) values ($1, $2, $3)
      on conflict (key) do update set resource_version = excluded.resource_version, updated_at = excluded.updated_at`,
    values: [position.key, position.resource_version, now],
  });
}

export async function loadPosition(
  db: Queryable,
  key: string,
): Promise<{ resource_version: string; updated_at: string } | null> {
  const { rows } = await db.query<{ resource_version: string; updated_at: Date }>({
    name: "load_position",
    text: "select resource_version, updated_at from watch_position where key = $1",
    values: [key],
  });
  const row = rows[0];
  return row ? { resource_version: row.resource_version, updated_at: row.updated_at.toISOString() } : null;
}
