// Which files tasks left. The bytes are in the object store, under keys that are only ours.

import { failure } from "../core/errors.ts";
import type { Database, Queryable } from "./database.ts";

export interface ArtifactRow {
  artifact_id: string;
  name: string;
  media_type: string;
  size: number;
  object_key: string;
  created_at: Date;
  attempt: number;
}

export interface UploadOwner {
  run_key: number;
  object_key: string;
}

// An upload that takes longer than this loses its file.
const UPLOAD_LIMIT_MS = 86_400_000;

/**
 * Begins an upload: from here on its key is remembered, so that a file whose upload breaks is deleted.
 * Errors: attempt_stale.
 */
export async function beginUpload(
  db: Queryable,
  attempt: { attempt_id: string; epoch: number },
  artifactId: string,
  now: Date,
): Promise<UploadOwner> {
  const { rows } = await db.query<UploadOwner>({
    name: "begin_upload",
    text: `
      with owner as (
        select i.run_id from attempt a join task_instance i on i.id = a.task_instance_id
        where a.id = $1 and a.epoch = $2 and i.epoch = a.epoch and a.state = 'running' and a.outcome is null)
      insert into object_garbage (key, due_at) select 'artifacts/' || run_id || '/' || $3::text, $4 from owner
      returning key as object_key, (select run_id from owner) as run_key`,
    values: [attempt.attempt_id, attempt.epoch, artifactId, new Date(now.getTime() + UPLOAD_LIMIT_MS)],
  });
  const row = rows[0];
  if (!row) throw failure("attempt_stale", `attempt ${attempt.attempt_id} is no longer running`);
  return row;
}

export interface NewArtifact extends UploadOwner {
  artifact_id: string;
  attempt_id: string;
  name: string;
  media_type: string;
  size: number;
}

/** Errors: attempt_stale, when the run was deleted meanwhile. */
export async function completeUpload(db: Database, artifact: NewArtifact, now: Date): Promise<void> {
  const { rowCount } = await db.query({
    name: "complete_upload",
    text: `
      with kept as (delete from object_garbage where key = $7 returning key)
      insert into artifact (id, run_id, attempt_id, name, media_type, size, object_key, created_at)
      select $1, $2, a.id, $4, $5, $6, kept.key, $8 from kept, attempt a where a.id = $3`,
    values: [
      artifact.artifact_id,
      artifact.run_key,
      artifact.attempt_id,
      artifact.name,
      artifact.media_type,
      artifact.size,
      artifact.object_key,
      now,
    ],
  });
  if (rowCount === 0) {
    throw failure("attempt_stale", `attempt ${artifact.attempt_id} is gone, or its upload took longer than a day`);
  }
}

/** A file of any run of the attempt's own DAG. Errors: not_found. */
export async function findArtifactForAttempt(
  db: Queryable,
  attemptId: string,
  artifactId: string,
): Promise<Pick<ArtifactRow, "object_key" | "size" | "media_type">> {
  const { rows } = await db.query<Pick<ArtifactRow, "object_key" | "size" | "media_type">>({
    name: "find_artifact_for_attempt",
    text: `
      select f.object_key, f.size, f.media_type
      from artifact f join dag_run r on r.id = f.run_id
      where f.id = $2 and r.dag_id = (
        select own.dag_id from attempt a join task_instance i on i.id = a.task_instance_id
          join dag_run own on own.id = i.run_id where a.id = $1)`,
    values: [attemptId, artifactId],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `this DAG has no artifact ${artifactId}; its run may have been deleted`);
  return row;
}

const COLUMNS = `f.id as artifact_id, f.name, f.media_type, f.size, f.object_key, f.created_at, a.epoch as attempt`;

/** The files of a task instance, all of its attempts, oldest first, then by name. */
export async function listArtifacts(db: Queryable, taskInstanceId: string): Promise<ArtifactRow[]> {
  const { rows } = await db.query<ArtifactRow>({
    name: "list_artifacts",
    text: `select ${COLUMNS} from artifact f join attempt a on a.id = f.attempt_id
      where a.task_instance_id = $1 order by f.created_at, f.name, f.id`,
    values: [taskInstanceId],
  });
  return rows;
}

/** Keys that no row refers to any more; forgetGarbage removes them once their objects are deleted. */
export async function listGarbage(db: Queryable, now: Date, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ key: string }>({
    name: "list_garbage",
    text: "select key from object_garbage where due_at <= $1 order by due_at limit $2",
    values: [now, limit],
  });
  return rows.map((row) => row.key);
}

export async function forgetGarbage(db: Queryable, keys: readonly string[]): Promise<void> {
  await db.query({
    name: "forget_garbage",
    text: "delete from object_garbage where key = any ($1)",
    values: [keys],
  });
}
