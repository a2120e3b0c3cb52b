// Runs as people see them, joined with the version that each one is pinned to.

import type { JsonObject } from "../core/json.ts";
import type { RunState, RunType } from "../core/states.ts";
import type { Queryable } from "./database.ts";
import {
  buildOrder,
  buildRanges,
  type Ordering,
  type Page,
  type PageSize,
  type RangeFilter,
  readPage,
  splitPattern,
} from "./read-page.ts";

export interface VersionRow {
  version_id: number;
  version_number: number;
  bundle_hash: string;
  repository_commit: string | null;
  version_created_at: Date;
}
export const VERSION_COLUMNS =
  "v.id as version_id, v.version_number, v.bundle_hash, v.repository_commit, v.created_at as version_created_at";

export interface DagRunRow extends VersionRow {
  dag_id: string;
  dag_run_id: string;
  run_type: RunType;
  state: RunState;
  logical_date: Date | null;
  data_interval_start: Date | null;
  data_interval_end: Date | null;
  run_after: Date;
  queued_at: Date;
  start_date: Date | null;
  end_date: Date | null;
  conf: JsonObject;
  params: JsonObject;
  note: string | null;
  triggered_by: string;
  triggering_user_name: string | null;
  reason: string | null;
  backfill_id: number | null;
}

export type RunRangeField = "run_after" | "logical_date" | "start_date" | "end_date";
export type RunOrderField =
  | RunRangeField
  | "id"
  | "dag_id"
  | "dag_run_id"
  | "run_type"
  | "state"
  | "queued_at"
  | "duration";

export interface DagRunFilter extends PageSize {
  /** undefined: any. */
  dag_id: string | undefined;
  states: RunState[] | undefined;
  run_types: RunType[] | undefined;
  run_id_pattern: string | undefined;
  ranges: RangeFilter<RunRangeField>[];
  order: Ordering<RunOrderField>[];
}

const RANGE_COLUMNS: Record<RunRangeField, string> = {
  run_after: "r.run_after",
  logical_date: "r.logical_date",
  start_date: "r.start_date",
  end_date: "r.end_date",
};
const ORDER: Record<RunOrderField, string> = {
  ...RANGE_COLUMNS,
  id: "r.id",
  dag_id: "r.dag_id",
  dag_run_id: "r.dag_run_id",
  run_type: "r.run_type",
  state: "r.state",
  queued_at: "r.queued_at",
  duration: "(r.end_date - r.start_date)",
};

const COLUMNS = `r.dag_id, r.dag_run_id, r.run_type, r.state, r.logical_date, r.data_interval_start, r.data_interval_end,
  r.run_after, r.queued_at, r.start_date, r.end_date, r.conf, r.params, r.note, r.triggered_by, r.triggering_user_name,
  r.reason, r.backfill_id, ${VERSION_COLUMNS}`;
const DETAILS = "join dag_version v on v.id = r.version_id";

export async function listDagRuns(db: Queryable, filter: DagRunFilter): Promise<Page<DagRunRow>> {
  return readPage<DagRunRow>(db, {
    columns: COLUMNS,
    from: "dag_run r",
    details: DETAILS,
    conditions: [
      { sql: "r.dag_id = $", value: filter.dag_id },
      { sql: "r.state = any ($::text[])", value: filter.states },
      { sql: "r.run_type = any ($::text[])", value: filter.run_types },
      { sql: "r.dag_run_id ilike any ($::text[])", value: splitPattern(filter.run_id_pattern) },
      ...buildRanges(RANGE_COLUMNS, filter.ranges),
    ],
    order: buildOrder(ORDER, ["logical_date", "start_date", "end_date", "duration"], filter.order, "r.id", "r.id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export async function readDagRun(db: Queryable, dagId: string, runId: string): Promise<DagRunRow | null> {
  const { rows } = await db.query<DagRunRow>({
    name: "read_dag_run",
    text: `select ${COLUMNS} from dag_run r ${DETAILS} where r.dag_id = $1 and r.dag_run_id = $2`,
    values: [dagId, runId],
  });
  return rows[0] ?? null;
}

export async function dagRunExists(db: Queryable, dagId: string, runId: string): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "dag_run_exists",
    text: "select 1 from dag_run where dag_id = $1 and dag_run_id = $2",
    values: [dagId, runId],
  });
  return rowCount > 0;
}
