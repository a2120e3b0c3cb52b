// What the dags folder holds, as of the last look: DAGs with their versions, and import errors. The file is authoritative for
// a DAG's definition, Postgres for everything that has happened to it; a DAG whose file is gone is stale, never deleted.

import { cleanText } from "../core/clean-text.ts";
import type { DagDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import { nextDueRun } from "../core/timetable.ts";
import { expectComputedTimes } from "./computed-times.ts";
import { saveDagAssets } from "./dag-assets.ts";
import type { Database, Queryable } from "./database.ts";
import { announceRuns } from "./due-runs.ts";
import { notifyWork } from "./wake-up.ts";

export interface DagFile {
  /** Path inside the dags folder. */
  filename: string;
  bundle: { hash: string; code: string; sourceMap: string };
  definitions: DagDefinition[];
  /** Of the repository that the file came from; null or absent: from none. */
  commit?: string | null;
}

export interface ImportFault {
  filename: string;
  message: string;
  line: number | null;
  column: number | null;
  stack_trace: string;
}

/** Makes the file's DAGs current. A definition or bundle that differs becomes a new version. Errors: already_exists. */
export async function saveDagFile(db: Database, file: DagFile, now: Date): Promise<{ created_versions: number }> {
  return db.transaction(async (tx) => {
    const dagIds = file.definitions.map((definition) => definition.dag_id).toSorted();
    await refuseForeignDags(tx, file.filename, dagIds);
    await tx.query({
      text: "insert into dag_bundle (hash, code, source_map, created_at) values ($1, $2, $3, $4) on conflict do nothing",
      values: [file.bundle.hash, file.bundle.code, file.bundle.sourceMap, now],
    });
    let created = 0;
    // A file holds a handful of DAGs at most, so a statement for each is no cost.
    for (const definition of file.definitions) {
      if (await saveDefinition(tx, file, definition, now)) created += 1;
    }
    await tx.query({
      text: "update dag set is_stale = true where relative_fileloc = $1 and dag_id <> all ($2) and not is_stale",
      values: [file.filename, dagIds],
    });
    await tx.query({ text: "delete from import_error where filename = $1", values: [file.filename] });
    await notifyWork(tx, "runs");
    return { created_versions: created };
  });
}

/** Keeps the last good version active, and says what is wrong with the newest. */
export async function saveImportFault(db: Database, fault: ImportFault, now: Date): Promise<void> {
  await db.query({
    text: `insert into import_error (filename, message, line, "column", stack_trace, "timestamp") values ($1, $2, $3, $4, $5, $6)
      on conflict (filename) do update set message = excluded.message, line = excluded.line, "column" = excluded."column",
        stack_trace = excluded.stack_trace, "timestamp" = excluded."timestamp"`,
    values: [fault.filename, cleanText(fault.message), fault.line, fault.column, cleanText(fault.stack_trace), now],
  });
}

export async function removeDagFile(db: Database, filename: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query({ text: "update dag set is_stale = true where relative_fileloc = $1", values: [filename] });
    await tx.query({ text: "delete from import_error where filename = $1", values: [filename] });
  });
}

/** At start: whatever is known of files that are not in the folder is gone. */
export async function reconcileDagFiles(db: Database, filenames: readonly string[]): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query({
      text: "update dag set is_stale = true where relative_fileloc <> all ($1) and not is_stale",
      values: [filenames],
    });
    await tx.query({ text: "delete from import_error where filename <> all ($1)", values: [filenames] });
  });
}

async function refuseForeignDags(tx: Queryable, filename: string, dagIds: string[]): Promise<void> {
  // The lock orders two schedulers that save the same file.
  const { rows } = await tx.query<{ dag_id: string; relative_fileloc: string; is_stale: boolean }>({
    text: "select dag_id, relative_fileloc, is_stale from dag where dag_id = any ($1) order by dag_id for update",
    values: [dagIds],
  });
  const foreign = rows.find((row) => row.relative_fileloc !== filename && !row.is_stale);
  if (foreign) {
    throw failure(
      "already_exists",
      `DAG "${foreign.dag_id}" is defined in ${foreign.relative_fileloc} too; give one of them another id`,
    );
  }
}

interface KnownDag {
  last_logical_date: Date | null;
  same: boolean;
  schedule_same: boolean;
}

async function saveDefinition(tx: Queryable, file: DagFile, definition: DagDefinition, now: Date): Promise<boolean> {
  const text = JSON.stringify(definition);
  const { rows } = await tx.query<KnownDag>({
    text: `
      insert into dag (dag_id, relative_fileloc, is_paused, is_stale, last_parsed_time, created_at)
      values ($1, $2, $3, false, $4, $4)
      on conflict (dag_id) do update set
        relative_fileloc = excluded.relative_fileloc, is_stale = false, last_parsed_time = excluded.last_parsed_time
      returning
        (select max(logical_date) from dag_run where dag_run.dag_id = $1 and run_type = 'scheduled') as last_logical_date,
        exists (select from dag_version v where v.id = dag.current_version_id
          and v.bundle_hash = $5 and v.definition = $6::jsonb) as same,
        exists (select from dag_version v where v.id = dag.current_version_id
          and v.definition -> 'schedule' = $6::jsonb -> 'schedule' and v.definition -> 'start_date' = $6::jsonb -> 'start_date'
          and v.definition -> 'end_date' = $6::jsonb -> 'end_date' and v.definition -> 'catchup' = $6::jsonb -> 'catchup'
          and v.definition -> 'intervals' is not distinct from $6::jsonb -> 'intervals'
          and v.definition -> 'jitter' is not distinct from $6::jsonb -> 'jitter'
        ) as schedule_same`,
    values: [definition.dag_id, file.filename, definition.is_paused_upon_creation, now, file.bundle.hash, text],
  });
  const known = rows[0];
  if (!known || known.same) return false;
  await tx.query({
    text: `
      with version as (
        insert into dag_version (dag_id, version_number, bundle_hash, definition, max_active_runs, max_active_tasks, created_at,
          run_timeout, max_consecutive_failed_runs, repository_commit)
        select $1, coalesce(max(version_number), 0) + 1, $2, $3::jsonb, $5, $6, $4, $7, $8, $9 from dag_version where dag_id = $1
        returning id)
      update dag set current_version_id = version.id from version where dag_id = $1`,
    values: [
      definition.dag_id,
      file.bundle.hash,
      text,
      now,
      definition.max_active_runs,
      definition.max_active_tasks,
      definition.run_timeout ?? null,
      definition.max_consecutive_failed_runs ?? null,
      file.commit ?? null,
    ],
  });
  await expectComputedTimes(tx, definition, file.bundle.hash, now);
  await saveDagAssets(tx, definition, now);
  if (!known.schedule_same) {
    // The times of a custom schedule are yet to be computed, and announced by whoever does.
    const due = nextDueRun(definition, known.last_logical_date, now);
    await announceRuns(tx, [{ dag_id: definition.dag_id, due }]);
  }
  return true;
}
