// What a task's inputs are resolved from: the facts and params of its run, and the results of finished upstream tasks.

import type { RunField } from "../core/definition.ts";
import type { Json, JsonObject } from "../core/json.ts";
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

export type RunFacts = Record<RunField, string | null> & Record<"dag_id" | "run_id" | "run_type" | "run_after", string>;

export function runFacts(row: RunRow): RunFacts {
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

/** The results of the run's tasks, by task id; what left none is not in it. */
export async function readResults(db: Queryable, runKey: number, taskIds: string[]): Promise<Map<string, Json>> {
  if (taskIds.length === 0) return new Map();
  const { rows } = await db.query<{ task_id: string; value: Json }>({
    name: "read_results",
    text: `select t.task_id, r.value from task_instance t join task_result r on r.task_instance_id = t.id
      where t.run_id = $1 and t.task_id = any ($2) and t.map_index = -1`,
    values: [runKey, taskIds],
  });
  return new Map(rows.map((row) => [row.task_id, row.value]));
}
