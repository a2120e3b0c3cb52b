// What a task's inputs are resolved from: the facts and params of its run, and the results of finished upstream tasks.

import type { RunField, TaskDefinition } from "../core/definition.ts";
import { type InputSources, listResultSources } from "../core/inputs.ts";
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

/** What these instances' inputs are made of, by instance. */
export async function readKeySources(
  db: Queryable,
  wanted: readonly { instance: { id: string; run_id: number }; task: TaskDefinition }[],
): Promise<Map<string, InputSources>> {
  if (wanted.length === 0) return new Map();
  const runs = await db.query<RunRow>({
    name: "read_key_runs",
    text: `select id as run_key, dag_id, dag_run_id as run_id, run_type, logical_date, data_interval_start, data_interval_end,
        run_after, params
      from dag_run where id = any ($1::bigint[])`,
    values: [[...new Set(wanted.map(({ instance }) => instance.run_id))]],
  });
  const byRun = new Map(runs.rows.map((row) => [row.run_key, row]));
  const needed = wanted.flatMap(({ instance, task }) =>
    listResultSources(task).map((taskId) => ({ runId: instance.run_id, taskId })),
  );
  const results = await db.query<{ run_id: number; task_id: string; value: Json }>({
    name: "read_key_results",
    text: `
      select t.run_id, t.task_id, r.value
      from (select distinct * from unnest($1::bigint[], $2::text[]) as n (run_id, task_id)) n
        join task_instance t on t.run_id = n.run_id and t.task_id = n.task_id and t.map_index = -1
        join task_result r on r.task_instance_id = t.id`,
    values: [needed.map(({ runId }) => runId), needed.map(({ taskId }) => taskId)],
  });
  const values = Map.groupBy(results.rows, (row) => row.run_id);
  return new Map(
    wanted.flatMap(({ instance }) => {
      const run = byRun.get(instance.run_id);
      if (!run) return [];
      const found = (values.get(instance.run_id) ?? []).map((row) => [row.task_id, row.value] as const);
      return [[instance.id, { params: run.params, run: runFacts(run), results: new Map(found) }] as const];
    }),
  );
}
