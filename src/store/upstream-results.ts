// The results of finished tasks, as another task of their run reads them.

import { failure } from "../core/errors.ts";
import { type DagGraph, isMapped, isSameIndex } from "../core/graph.ts";
import type { Json } from "../core/json.ts";
import type { Queryable } from "./database.ts";

/** What one task may read of another's instances. The API and the worker hold it in memory, some three times over. */
const MAX_GATHERED_BYTES = 32 * 1024 * 1024;

/**
 * The results of the run's tasks, by task id; what left none is not in it. Of a task with several instances the array of
 * the results of its successes, or to an instance of the same mapped group the result of the same index.
 * @param reader null: a reader outside of all groups
 */
export async function readResults(
  db: Queryable,
  runKey: number,
  graph: DagGraph,
  taskIds: readonly string[],
  reader: { task_id: string; map_index: number } | null,
): Promise<Map<string, Json>> {
  const isGathered = (id: string) => isMapped(graph, id) && !(reader && isSameIndex(graph, id, reader.task_id));
  const gathered = taskIds.filter(isGathered);
  const single = taskIds.filter((id) => !isGathered(id));
  const [one, many] = await Promise.all([
    single.length === 0
      ? []
      : readSingle(
          db,
          runKey,
          single.map((id) => ({ task_id: id, map_index: isMapped(graph, id) ? (reader?.map_index ?? -1) : -1 })),
        ),
    Promise.all(gathered.map(async (id) => [id, await gatherResults(db, runKey, id)] as const)),
  ]);
  return new Map([...one, ...many]);
}

async function readSingle(
  db: Queryable,
  runKey: number,
  instances: readonly { task_id: string; map_index: number }[],
): Promise<[string, Json][]> {
  const { rows } = await db.query<{ task_id: string; value: Json }>({
    name: "read_results",
    // Each by its whole key: a join may read all of the run instead, at every start.
    text: `select wanted.task_id, r.value from unnest($2::text[], $3::int[]) as wanted (task_id, map_index)
        cross join lateral (
          select id from task_instance where run_id = $1 and task_id = wanted.task_id and map_index = wanted.map_index
          limit 1) t
        cross join lateral (select value from task_result where task_instance_id = t.id limit 1) r`,
    values: [runKey, instances.map(({ task_id }) => task_id), instances.map(({ map_index }) => map_index)],
  });
  return rows.map((row) => [row.task_id, row.value]);
}

async function gatherResults(db: Queryable, runKey: number, taskId: string): Promise<Json[]> {
  const { rows } = await db.query<{ bytes: number; values: Json[] | null }>({
    name: "gather_results",
    text: `
      with result as (
        select t.map_index, coalesce(r.value::text, 'null') as value
        from task_instance t left join task_result r on r.task_instance_id = t.id
        where t.run_id = $1 and t.task_id = $2 and t.map_index >= 0 and t.state = 'success'),
      size as (select coalesce(sum(octet_length(value)), 0)::float8 as bytes from result)
      select bytes, case when bytes <= $3 then (
        select ('[' || coalesce(string_agg(value, ',' order by map_index), '') || ']')::json from result) end as values
      from size`,
    values: [runKey, taskId, MAX_GATHERED_BYTES],
  });
  const { bytes = 0, values = [] } = rows[0] ?? {};
  if (values !== null) return values;
  throw failure(
    "payload_too_large",
    `the results of "${taskId}" have ${bytes} bytes together, and a task can take ${MAX_GATHERED_BYTES}; return less from each, or a reference to it`,
  );
}
