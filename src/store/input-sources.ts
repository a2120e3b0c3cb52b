// What a task's inputs are resolved from: the facts and params of its run, the results of finished upstream tasks, and the
// items that an instance is mapped over.

import type { RunField, TaskDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import { type DagGraph, isMapped, isSameIndex } from "../core/graph.ts";
import { type InputSources, listResultSources, pick } from "../core/inputs.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { findMap, listItemNames, type MapSource, sourceOf } from "../core/mapping.ts";
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

export async function readRunRow(db: Queryable, runKey: number): Promise<RunRow> {
  const { rows } = await db.query<RunRow>({
    name: "read_run_row",
    text: `select id as run_key, dag_id, dag_run_id as run_id, run_type, logical_date, data_interval_start, data_interval_end,
        run_after, params
      from dag_run where id = $1`,
    values: [runKey],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `run ${runKey} was deleted`);
  return row;
}

/** Which instance of the task reads. */
export interface Reader {
  map_index: number;
  map_positions: number[] | null;
}

/** Errors: payload_too_large. */
export async function readInputSources(
  db: Queryable,
  row: RunRow,
  graph: DagGraph,
  task: TaskDefinition,
  { map_index, map_positions }: Reader,
): Promise<InputSources> {
  const [results, items] = await Promise.all([
    readResults(db, row.run_key, graph, listResultSources(task), {
      task_id: task.task_id,
      map_index,
    }),
    readKeyItems(db, [{ instance: { id: NOBODY, run_id: row.run_key, map_index, map_positions }, graph, task }]),
  ]);
  return { params: row.params, run: runFacts(row), results, items: items.get(NOBODY) ?? new Map() };
}

// One reader alone needs no name.
const NOBODY = "00000000-0000-0000-0000-000000000000";

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

interface ItemPlace {
  /** The mapped task, or the expander of the group. */
  owner: string;
  name: string;
  position: number;
  source: MapSource;
}

/** Where the items are that an instance's inputs read. */
function listItemPlaces(graph: DagGraph, task: TaskDefinition, { map_positions }: Reader): ItemPlace[] {
  const owner = findMap(graph, task.task_id);
  const used = new Set(Object.values(task.inputs).flatMap(listItemNames));
  return (owner?.map.over ?? []).flatMap(({ name, array }, index) => {
    const position = map_positions?.[index];
    if (!owner || !used.has(name) || position === undefined) return [];
    return [{ owner: owner.task_id, name, position, source: sourceOf(graph, array) }];
  });
}

/** One of many whose inputs are wanted. */
export interface KeyedReader {
  instance: { id: string; run_id: number } & Reader;
  graph: DagGraph;
  task: TaskDefinition;
}

/** What these instances' inputs are made of, by instance; without arrays of results, which are no keys. */
export async function readKeySources(
  db: Queryable,
  wanted: readonly KeyedReader[],
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
  const results = await readKeyResults(db, wanted);
  const items = await readKeyItems(db, wanted);
  return new Map(
    wanted.flatMap(({ instance }) => {
      const run = byRun.get(instance.run_id);
      if (!run) return [];
      const own = { results: results.get(instance.id) ?? new Map(), items: items.get(instance.id) ?? new Map() };
      return [[instance.id, { params: run.params, run: runFacts(run), ...own }] as const];
    }),
  );
}

interface ResultPlace {
  id: string;
  run_id: number;
  /** Under which it is found: the task's id, or the item's name. */
  name: string;
  task_id: string;
  map_index: number;
}

async function readKeyResults(db: Queryable, wanted: readonly KeyedReader[]): Promise<Map<string, Map<string, Json>>> {
  return readPlaces(
    db,
    wanted.flatMap(({ instance: { id, run_id, map_index }, graph, task }) =>
      listResultSources(task).flatMap((source): ResultPlace[] => {
        const isOwn = isSameIndex(graph, source, task.task_id);
        if (isMapped(graph, source) && !isOwn) return [];
        return [{ id, run_id, name: source, task_id: source, map_index: isOwn ? map_index : -1 }];
      }),
    ),
  );
}

async function readPlaces(db: Queryable, places: readonly ResultPlace[]): Promise<Map<string, Map<string, Json>>> {
  if (places.length === 0) return new Map();
  const { rows } = await db.query<{ id: string; name: string; value: Json }>({
    name: "read_key_results",
    text: `
      select wanted.id, wanted.name, r.value
      from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::int[])
          as wanted (id, run_id, name, task_id, map_index)
        cross join lateral (
          select id from task_instance
          where run_id = wanted.run_id and task_id = wanted.task_id and map_index = wanted.map_index limit 1) t
        cross join lateral (select value from task_result where task_instance_id = t.id limit 1) r`,
    values: [
      places.map((place) => place.id),
      places.map((place) => place.run_id),
      places.map((place) => place.name),
      places.map((place) => place.task_id),
      places.map((place) => place.map_index),
    ],
  });
  return gatherByInstance(rows);
}

async function readKeyItems(db: Queryable, wanted: readonly KeyedReader[]): Promise<Map<string, Map<string, Json>>> {
  const places = wanted.flatMap(({ instance, graph, task }) =>
    listItemPlaces(graph, task, instance).map((place) => ({ ...place, id: instance.id, run_id: instance.run_id })),
  );
  const others = places.flatMap(({ id, run_id, name, position, source }) =>
    source.kind === "instances" ? [{ id, run_id, name, task_id: source.task_id, map_index: position, source }] : [],
  );
  const found = await readPlaces(db, others);
  for (const { id, name, source } of others) {
    const value = found.get(id)?.get(name);
    if (value !== undefined) found.get(id)?.set(name, pick(value, source.each));
  }
  const stored = places.filter(({ source }) => source.kind === "array");
  if (stored.length === 0) return found;
  const { rows } = await db.query<{ id: string; name: string; value: Json }>({
    name: "read_key_items",
    text: `
      select wanted.id, wanted.name, i.value
      from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::int[])
          as wanted (id, run_id, task_id, name, position)
        cross join lateral (
          select value from map_item where run_id = wanted.run_id and task_id = wanted.task_id and name = wanted.name
            and position = wanted.position limit 1) i`,
    values: [
      stored.map((place) => place.id),
      stored.map((place) => place.run_id),
      stored.map((place) => place.owner),
      stored.map((place) => place.name),
      stored.map((place) => place.position),
    ],
  });
  return gatherByInstance(rows, found);
}

function gatherByInstance(
  rows: readonly { id: string; name: string; value: Json }[],
  known: Map<string, Map<string, Json>> = new Map(),
): Map<string, Map<string, Json>> {
  for (const { id, name, value } of rows) known.set(id, (known.get(id) ?? new Map<string, Json>()).set(name, value));
  return known;
}
