// The attempts under a task instance, oldest first, with the way that each one went.

import type { OutcomeKind, TaskError } from "../core/outcome.ts";
import type { WaitingKind } from "../core/observation.ts";
import type { AttemptState } from "../core/states.ts";
import type { Queryable } from "./database.ts";

export interface AttemptRow {
  id: string;
  epoch: number;
  try_number: number;
  state: AttemptState;
  executor: string;
  namespace: string | null;
  pod_name: string | null;
  pod_uid: string | null;
  hostname: string | null;
  launch_failures: number;
  queued_at: Date;
  launched_at: Date | null;
  pod_scheduled_at: Date | null;
  image_pulled_at: Date | null;
  container_started_at: Date | null;
  started_at: Date | null;
  heartbeat_at: Date | null;
  finished_at: Date | null;
  pod_gone_at: Date | null;
  /** Bytes. */
  memory_limit: number | null;
  memory_peak: number | null;
  waiting_reason: string | null;
  waiting_kind: WaitingKind | null;
  waiting_since: Date | null;
  stop_reason: string | null;
  outcome: OutcomeKind | null;
  outcome_reason: string | null;
  exit_code: number | null;
  error: TaskError | null;
}

/** All tries, or one. */
export async function listAttempts(
  db: Queryable,
  taskInstanceId: string,
  tryNumber: number | null,
): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>({
    name: "list_attempts",
    text: `
      select id, epoch, try_number, state, executor, namespace, pod_name, pod_uid, hostname, launch_failures, queued_at,
        launched_at, pod_scheduled_at, image_pulled_at, container_started_at, started_at, heartbeat_at, finished_at,
        pod_gone_at, waiting_reason, waiting_kind, waiting_since, stop_reason, outcome, outcome_reason, exit_code, error,
        memory_limit, memory_peak
      from attempt where task_instance_id = $1 and ($2::integer is null or try_number = $2) order by epoch`,
    values: [taskInstanceId, tryNumber],
  });
  return rows;
}

/** The hash of the code that an attempt runs. */
export async function readAttemptBundle(db: Queryable, attemptId: string): Promise<string | null> {
  const { rows } = await db.query<{ bundle_hash: string }>({
    name: "read_attempt_bundle",
    text: `
      select v.bundle_hash from attempt a
      join task_instance i on i.id = a.task_instance_id
      join dag_run r on r.id = i.run_id
      join dag_version v on v.id = r.version_id
      where a.id = $1`,
    values: [attemptId],
  });
  return rows[0]?.bundle_hash ?? null;
}
