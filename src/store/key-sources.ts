// What the inputs of many instances are made of, in a few statements for all of them: for concurrency keys, and for items of maps.

import type { TaskDefinition } from "../core/definition.ts";
import { type DagGraph, isMapped, isSameIndex } from "../core/graph.ts";
import { type InputSources, listResultSources, pick } from "../core/inputs.ts";
import type { Json } from "../core/json.ts";
import { findMap, listItemNames, type MapSource, sourceOf } from "../core/mapping.ts";
import type { Queryable } from "./database.ts";
import { RUN_COLUMNS, runFacts, type RunRow } from "./run-row.ts";

/** Which instance of the task reads. */
export interface Reader {
  map_index: number;
  map_positions: number[] | null;
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
    text: `select ${RUN_COLUMNS} from dag_run r where r.id = any ($1::bigint[])`,
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

/** The items that these instances are mapped over, as far as their inputs read them. */
export async function readKeyItems(
  db: Queryable,
  wanted: readonly KeyedReader[],
): Promise<Map<string, Map<string, Json>>> {
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
