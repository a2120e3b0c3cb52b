// A run as its tasks, waits and callbacks read it.

import type { RunField } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { Queryable } from "./database.ts";

export interface RunRow {
  run_key: number;
  dag_id: string;
  run_id: string;
  run_type: string;
  logical_date: Date | null;
  data_interval_start: Date | null;
  data_interval_end: Date | null;
  run_after: Date;
  params: JsonObject;
}

/** Of `dag_run r`. */
export const RUN_COLUMNS = `r.id as run_key, r.dag_id, r.dag_run_id as run_id, r.run_type, r.logical_date, r.data_interval_start,
  r.data_interval_end, r.run_after, r.params`;

/** What a task may know of its run. */
export type RunFacts = Record<RunField, string | null> & Record<"dag_id" | "run_id" | "run_type" | "run_after", string>;

export function runFacts(row: Omit<RunRow, "run_key" | "params">): RunFacts {
  return {
    dag_id: row.dag_id,
    run_id: row.run_id,
    run_type: row.run_type,
    logical_date: row.logical_date?.toISOString() ?? null,
    data_interval_start: row.data_interval_start?.toISOString() ?? null,
    data_interval_end: row.data_interval_end?.toISOString() ?? null,
    run_after: row.run_after.toISOString(),
  };
}

export async function readRunRow(db: Queryable, runKey: number): Promise<RunRow> {
  const { rows } = await db.query<RunRow>({
    name: "read_run_row",
    text: `select ${RUN_COLUMNS} from dag_run r where r.id = $1`,
    values: [runKey],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `run ${runKey} was deleted`);
  return row;
}
