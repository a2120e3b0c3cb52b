// Rows of runs, task instances, attempts and tries as answers.

import type { DagRunAnswer } from "../contract/rest-dag-runs.ts";
import type { AttemptAnswer, OutcomeAnswer, TaskInstanceAnswer, TryAnswer } from "../contract/rest-task-instances.ts";
import { allowedOnInstance, ALLOWED_ON_RUN } from "../core/allowed-actions.ts";
import { parseExecutor } from "../core/executor-name.ts";
import type { OutcomeKind, TaskError } from "../core/outcome.ts";
import type { TaskState } from "../core/states.ts";
import type { AttemptRow } from "../store/read-attempts.ts";
import type { DagRunRow, VersionRow } from "../store/read-dag-runs.ts";
import type { TaskInstanceRow } from "../store/read-task-instances.ts";
import { isoOf } from "./present-date.ts";

export function presentRun(row: DagRunRow): DagRunAnswer {
  return {
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    dag_run_id: row.dag_run_id,
    run_type: row.run_type,
    state: row.state,
    logical_date: isoOf(row.logical_date),
    data_interval_start: isoOf(row.data_interval_start),
    data_interval_end: isoOf(row.data_interval_end),
    run_after: row.run_after.toISOString(),
    queued_at: row.queued_at.toISOString(),
    start_date: isoOf(row.start_date),
    end_date: isoOf(row.end_date),
    duration: secondsBetween(row.start_date, row.end_date),
    conf: row.conf,
    params: row.params,
    note: row.note,
    triggered_by: row.triggered_by,
    triggering_user_name: row.triggering_user_name,
    bundle_version: row.repository_commit ?? row.bundle_hash,
    dag_versions: [presentVersion(row)],
    backfill_id: row.backfill_id,
    reason: row.reason,
    allowed_actions: [...ALLOWED_ON_RUN[row.state]],
  };
}

function presentVersion(row: VersionRow & { dag_id: string }) {
  return {
    id: row.version_id,
    dag_id: row.dag_id,
    version_number: row.version_number,
    bundle_version: row.repository_commit ?? row.bundle_hash,
    bundle_hash: row.bundle_hash,
    created_at: row.version_created_at.toISOString(),
  };
}

export function presentInstance(row: TaskInstanceRow): TaskInstanceAnswer {
  return {
    ...presentPlace(row),
    state: row.state,
    try_number: row.try_number,
    scheduled_when: isoOf(row.scheduled_at),
    queued_when: isoOf(row.queued_at),
    start_date: isoOf(row.start_date),
    end_date: isoOf(row.end_date),
    duration: secondsBetween(row.start_date, row.end_date),
    hostname: row.hostname,
    executor: row.executor === null ? null : parseExecutor(row.executor).kind,
    // While it is queued its pod knows best why nothing runs yet.
    reason: row.state === "queued" ? (row.waiting_reason ?? row.reason) : row.reason,
    outcome: presentOutcome(row),
    retry_at: isoOf(row.retry_at),
    infrastructure_failures: row.infrastructure_failures,
    pool: row.pool,
    pool_slots: row.pool_slots,
    priority_weight: row.priority_weight,
    allowed_actions: [...allowedOnInstance(row.state)],
  };
}

function presentPlace(row: TaskInstanceRow) {
  return {
    id: row.id,
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    dag_run_id: row.dag_run_id,
    task_id: row.task_id,
    task_display_name: row.task_id,
    map_index: row.map_index,
    rendered_map_index: row.rendered_map_index,
    max_tries: row.max_tries,
    logical_date: isoOf(row.logical_date),
    run_after: row.run_after.toISOString(),
    dag_version: presentVersion(row),
  };
}

interface OutcomeColumns {
  outcome: OutcomeKind | null;
  outcome_reason: string | null;
  exit_code: number | null;
  error: TaskError | null;
}

function presentOutcome(row: OutcomeColumns): OutcomeAnswer | null {
  if (row.outcome === null) return null;
  return { kind: row.outcome, reason: row.outcome_reason, exit_code: row.exit_code, error: row.error };
}

function presentAttempt(row: AttemptRow): AttemptAnswer {
  const { kind: executor, cluster } = parseExecutor(row.executor);
  const waits = row.waiting_kind !== null && row.waiting_reason !== null && row.outcome === null;
  return {
    attempt_id: row.id,
    epoch: row.epoch,
    state: row.state,
    executor,
    queued_at: row.queued_at.toISOString(),
    launched_at: isoOf(row.launched_at),
    pod_scheduled_at: isoOf(row.pod_scheduled_at),
    image_pulled_at: isoOf(row.image_pulled_at),
    container_started_at: isoOf(row.container_started_at),
    started_at: isoOf(row.started_at),
    heartbeat_at: isoOf(row.heartbeat_at),
    finished_at: isoOf(row.finished_at),
    pod_gone_at: isoOf(row.pod_gone_at),
    cluster,
    namespace: row.namespace,
    pod_name: row.pod_name,
    pod_uid: row.pod_uid,
    hostname: row.hostname,
    launch_failures: row.launch_failures,
    memory_limit: row.memory_limit,
    memory_peak: row.memory_peak,
    waiting: waits
      ? { kind: row.waiting_kind ?? "starting", reason: row.waiting_reason ?? "", since: isoOf(row.waiting_since) }
      : null,
    stop_reason: row.stop_reason,
    outcome: presentOutcome(row),
  };
}

/** The attempts of all tries, oldest first, gathered into tries. */
export function presentTries(instance: TaskInstanceRow, attempts: readonly AttemptRow[]): TryAnswer[] {
  const tries = Map.groupBy(attempts, (attempt) => attempt.try_number);
  return [...tries.values()].flatMap((group) => {
    const last = group.at(-1);
    return last ? [presentTry(instance, group, last)] : [];
  });
}

function presentTry(instance: TaskInstanceRow, attempts: readonly AttemptRow[], last: AttemptRow): TryAnswer {
  const isCurrent = last.try_number === instance.try_number;
  return {
    ...presentPlace(instance),
    state: isCurrent ? instance.state : stateOfPastTry(last),
    try_number: last.try_number,
    scheduled_when: isCurrent ? isoOf(instance.scheduled_at) : null,
    queued_when: isoOf(attempts[0]?.queued_at ?? null),
    start_date: isoOf(last.started_at),
    end_date: isoOf(last.finished_at),
    duration: secondsBetween(last.started_at, last.finished_at),
    hostname: last.hostname,
    executor: parseExecutor(last.executor).kind,
    reason: isCurrent ? presentInstance(instance).reason : last.outcome_reason,
    outcome: presentOutcome(last),
    attempts: attempts.map(presentAttempt),
  };
}

/** A try that another one followed. */
function stateOfPastTry(last: AttemptRow): TaskState {
  return last.outcome === "success" || last.outcome === "skipped" ? last.outcome : "failed";
}

function secondsBetween(start: Date | null, end: Date | null): number | null {
  return start === null || end === null ? null : (end.getTime() - start.getTime()) / 1000;
}
