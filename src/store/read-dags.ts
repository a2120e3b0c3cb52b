// DAGs as people see them: the row, joined with its current version.

import type { AssetCondition, DagDefinition, Schedule } from "../core/definition.ts";
import type { Queryable } from "./database.ts";
import { buildOrder, type Ordering, type Page, type PageSize, readPage, splitPattern } from "./read-page.ts";

export interface DagRow {
  dag_id: string;
  relative_fileloc: string;
  is_paused: boolean;
  pause_reason: string | null;
  is_stale: boolean;
  has_import_errors: boolean;
  next_logical_date: Date | null;
  next_run_after: Date | null;
  last_parsed_time: Date;
  version_number: number;
  bundle_hash: string;
  repository_commit: string | null;
  description: string | null;
  tags: string[];
  schedule: Schedule | null;
  assets: AssetCondition | null;
  max_active_runs: number;
  max_active_tasks: number;
}

export interface DagFilter extends PageSize {
  dag_id_pattern: string | undefined;
  paused: boolean | undefined;
  tags: string[] | undefined;
  tags_match: "any" | "all";
  exclude_stale: boolean;
  order: Ordering<DagOrderField>[];
}

export type DagOrderField = "dag_id" | "is_paused" | "last_parsed_time" | "next_dagrun_run_after";
const ORDER: Record<DagOrderField, string> = {
  dag_id: "d.dag_id",
  is_paused: "d.is_paused",
  last_parsed_time: "d.last_parsed_time",
  next_dagrun_run_after: "d.next_run_after",
};

const COLUMNS = `d.dag_id, d.relative_fileloc, d.is_paused, d.pause_reason, d.is_stale, d.next_logical_date, d.next_run_after,
  d.last_parsed_time, v.version_number, v.bundle_hash, v.repository_commit, f.description, f.tags, f.schedule,
  d.asset_condition as assets, f.max_active_runs,
  f.max_active_tasks, exists (select from import_error e where e.filename = d.relative_fileloc) as has_import_errors`;
// One jsonb_to_record reads a definition once; each -> would fetch a large one again.
const FROM = `dag d join dag_version v on v.id = d.current_version_id
  cross join lateral jsonb_to_record(v.definition) as f (description text, tags jsonb, schedule jsonb,
    max_active_runs integer, max_active_tasks integer)`;

export async function listDags(db: Queryable, filter: DagFilter): Promise<Page<DagRow>> {
  return readPage<DagRow>(db, {
    columns: COLUMNS,
    from: FROM,
    conditions: [
      { sql: "d.dag_id ilike any ($::text[])", value: splitPattern(filter.dag_id_pattern) },
      { sql: "d.is_paused = $", value: filter.paused },
      { sql: "d.is_stale = $", value: filter.exclude_stale ? false : undefined },
      { sql: filter.tags_match === "all" ? "f.tags ?& $::text[]" : "f.tags ?| $::text[]", value: filter.tags },
    ],
    order: buildOrder(ORDER, ["next_dagrun_run_after"], filter.order, "d.dag_id", "d.dag_id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export interface DagWithDefinition extends DagRow {
  version_id: number;
  definition: DagDefinition;
}

export async function readDag(db: Queryable, dagId: string): Promise<DagWithDefinition | null> {
  const { rows } = await db.query<DagWithDefinition>({
    name: "read_dag",
    text: `select ${COLUMNS}, v.id as version_id, v.definition from ${FROM} where d.dag_id = $1`,
    values: [dagId],
  });
  return rows[0] ?? null;
}

export async function dagExists(db: Queryable, dagId: string): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "dag_exists",
    text: "select 1 from dag where dag_id = $1",
    values: [dagId],
  });
  return rowCount > 0;
}

export interface DagSourceRow {
  version_number: number;
  relative_fileloc: string;
  source_map: string;
}

/** The current version's source when no number is given. */
export async function readDagSource(
  db: Queryable,
  dagId: string,
  versionNumber: number | null,
): Promise<DagSourceRow | null> {
  const { rows } = await db.query<DagSourceRow>({
    name: "read_dag_source",
    text: `
      select v.version_number, d.relative_fileloc, b.source_map
      from dag d
      join dag_version v on v.dag_id = d.dag_id
      join dag_bundle b on b.hash = v.bundle_hash
      where d.dag_id = $1 and case when $2::integer is null then v.id = d.current_version_id else v.version_number = $2 end`,
    values: [dagId, versionNumber],
  });
  return rows[0] ?? null;
}
