// Turns an unexpanded instance into as many as its arrays ask for, inside the transaction that advances the run: rows for the
// instances, items for what they run over, and greater totals downstream. One statement each, whatever the number.

import type { Expression, MapDefinition } from "../core/definition.ts";
import type { DagGraph } from "../core/graph.ts";
import { type InputSources, listResultsIn, pick, resolveExpression } from "../core/inputs.ts";
import type { Json } from "../core/json.ts";
import {
  type ExpansionPlan,
  failWrongType,
  judgeSources,
  listExpanded,
  listItemNames,
  type MappedArray,
  planExpansion,
  planTotalGrowth,
  renderLabel,
  sourceOf,
} from "../core/mapping.ts";
import type { WaitingInstance } from "../core/plan-advance.ts";
import type { FinishedTaskState } from "../core/states.ts";
import type { Queryable } from "./database.ts";
import { readRunRow, runFacts } from "./run-row.ts";
import { readResults } from "./upstream-results.ts";
import { growTotals, type InstanceMove } from "./waiting-instances.ts";

export interface Expansion {
  /** What becomes of the unexpanded instance itself; null: it is gone, its instances are there. */
  move: InstanceMove | null;
  /** Members of a group that now wait in their instances; those of a mapped task are scheduled at once. */
  fresh: readonly string[];
  scheduled: number;
  /** How many unfinished instances there are more than before. */
  added: number;
}

/** An array with what its items are, as far as they are at hand. */
interface LoadedArray extends MappedArray {
  /** Whether the items are rows of other instances already. */
  stored: boolean;
  items: ReadonlyMap<number, Json>;
}

export async function expandInstance(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  instance: WaitingInstance,
  now: Date,
): Promise<Expansion> {
  const task = graph.tasks.get(instance.task_id);
  const map = task?.map;
  if (!map) throw new Error(`task ${instance.task_id} is not mapped`);
  const arrays = await loadArrays(tx, runId, graph, map.over, new Set(listItemNames(map.label)));
  const plan: ExpansionPlan = Array.isArray(arrays) ? planExpansion(map, arrays) : arrays;
  const { id, task_id, map_index } = instance;
  if (plan.kind === "end") {
    const move = { id, task_id, map_index, to: plan.state, reason: plan.reason };
    return { move, fresh: [], scheduled: 0, added: 0 };
  }
  const loaded = Array.isArray(arrays) ? arrays : [];
  await insertItems(tx, runId, task_id, loaded);
  const labels = plan.positions.map((positions) => {
    const items = loaded.map(
      ({ name, items: ofArray }, index) => [name, ofArray.get(positions[index] ?? 0) ?? null] as const,
    );
    return renderLabel(map, new Map(items));
  });
  const isGroup = task.kind === "expand";
  // Waits are begun with the moves of their instances.
  const isJudged = isGroup || task.kind === "wait";
  const expanded = listExpanded(graph, task_id);
  await insertInstances(tx, runId, expanded, { positions: plan.positions, labels, scheduled: !isJudged }, now);
  const length = plan.positions.length;
  await growTotals(tx, runId, planTotalGrowth(graph, expanded, length));
  const added = expanded.length * (length - 1);
  if (!isJudged) return { move: null, fresh: [], scheduled: length, added };
  if (!isGroup) return { move: null, fresh: expanded, scheduled: 0, added };
  const reason = `expanded to ${length} ${length === 1 ? "instance" : "instances"}`;
  return { move: { id, task_id, map_index, to: "success", reason }, fresh: expanded, scheduled: 0, added };
}

/** The arrays to run over, or why there are none. */
async function loadArrays(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  over: MapDefinition["over"],
  named: ReadonlySet<string>,
): Promise<LoadedArray[] | ExpansionPlan> {
  const sources = over.map(({ name, array }) => ({ name, source: sourceOf(graph, array) }));
  const plain = sources.flatMap(({ source }) => (source.kind === "array" ? [source.expression] : []));
  const missing = await findMissing(tx, runId, listResultsIn(plain));
  if (missing) return missing;
  const inputs = plain.length === 0 ? null : await readSources(tx, runId, graph, plain);
  const arrays: LoadedArray[] = [];
  for (const { name, source } of sources) {
    if (source.kind === "instances") {
      const items = await readInstanceItems(tx, runId, source.task_id, source.each, named.has(name));
      arrays.push({ name, stored: true, positions: [...items.keys()], items });
    } else {
      const value = inputs === null ? null : resolveExpression(source.expression, inputs);
      if (!Array.isArray(value)) return failWrongType(name, value);
      arrays.push({ name, stored: false, positions: [...value.keys()], items: new Map(value.entries()) });
    }
  }
  return arrays;
}

async function readSources(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  expressions: readonly Expression[],
): Promise<InputSources> {
  const run = await readRunRow(tx, runId);
  const results = await readResults(tx, runId, graph, listResultsIn(expressions), null);
  return { params: run.params, run: runFacts(run), results, items: new Map() };
}

/** Tasks with several instances are looked at as they are: an array of their successes, however few. */
async function findMissing(tx: Queryable, runId: number, taskIds: string[]): Promise<ExpansionPlan | null> {
  if (taskIds.length === 0) return null;
  const { rows } = await tx.query<{ task_id: string; state: FinishedTaskState }>({
    name: "read_sources",
    text: `select task_id, state from task_instance where run_id = $1 and task_id = any ($2) and map_index = -1
      order by task_id`,
    values: [runId, taskIds],
  });
  return judgeSources(rows);
}

/** By index, the results of a map's successes; without their values when nobody asks for them. */
async function readInstanceItems(
  tx: Queryable,
  runId: number,
  taskId: string,
  each: readonly string[],
  withValues: boolean,
): Promise<Map<number, Json>> {
  const { rows } = await tx.query<{ map_index: number; value: Json }>({
    name: "read_instance_items",
    text: `select t.map_index, r.value from task_instance t
        left join task_result r on $3 and r.task_instance_id = t.id
      where t.run_id = $1 and t.task_id = $2 and t.map_index >= 0 and t.state = 'success' order by t.map_index`,
    values: [runId, taskId, withValues],
  });
  return new Map(rows.map(({ map_index, value }) => [map_index, pick(value, each)]));
}

/** Once for each item, not for each instance: a cross product repeats them. */
async function insertItems(
  tx: Queryable,
  runId: number,
  taskId: string,
  arrays: readonly LoadedArray[],
): Promise<void> {
  const items = arrays.flatMap(({ name, stored, items: ofArray }) =>
    stored ? [] : [...ofArray].map(([position, value]) => ({ name, position, value })),
  );
  if (items.length === 0) return;
  await tx.query({
    name: "insert_map_items",
    text: `insert into map_item (run_id, task_id, name, position, value)
      select $1, $2, item.name, item.position, item.value::json
      from unnest($3::text[], $4::int[], $5::text[]) as item (name, position, value)
      on conflict (run_id, task_id, name, position) do update set value = excluded.value`,
    values: [
      runId,
      taskId,
      items.map((item) => item.name),
      items.map((item) => item.position),
      items.map((item) => JSON.stringify(item.value)),
    ],
  });
}

interface NewInstances {
  positions: readonly number[][];
  labels: readonly (string | null)[];
  /** Their trigger rule has been met already. */
  scheduled: boolean;
}

/** Instances of an earlier expansion are used again; of those that are too many, the others stay removed. */
export async function insertInstances(
  tx: Queryable,
  runId: number,
  taskIds: readonly string[],
  { positions, labels, scheduled }: NewInstances,
  now: Date,
): Promise<void> {
  // Their ends are written before or after this, in the order of those who write them.
  await tx.query({
    name: "lock_ending",
    text: `select a.id from attempt a join task_instance t on t.id = a.task_instance_id
      where t.run_id = $1 and t.task_id = any ($2) and t.map_index >= 0 and a.outcome is null
      order by a.id for no key update of a, t`,
    values: [runId, taskIds],
  });
  await tx.query({
    name: "expand_instances",
    text: `
      with attempted as (
        -- Of a task that was not mapped once: what it did stays readable, beside the instances.
        update task_instance t set state = 'removed', counted = true, max_tries = t.max_tries - t.try_number,
          reason = 'removed because its task has become a map', map_index = greatest(cardinality($4::text[]),
            (select max(o.map_index) + 1 from task_instance o where o.run_id = t.run_id and o.task_id = t.task_id))
        where run_id = $1 and task_id = any ($2) and map_index = -1 and epoch > 0 returning *),
      untried as (
        delete from task_instance where run_id = $1 and task_id = any ($2) and map_index = -1 and epoch = 0 returning *),
      unexpanded as (select * from attempted union all select * from untried)
      insert into task_instance (run_id, task_id, map_index, state, try_number, max_tries, epoch, infrastructure_failures,
        upstream_total, upstream_success, upstream_failed, upstream_upstream_failed, upstream_skipped, upstream_removed,
        setup_total, setup_success, setup_failed, setup_skipped, counted, scheduled_at, map_positions, rendered_map_index)
      select u.run_id, u.task_id, i.number - 1, $5::text, 0, u.max_tries, 0, 0, u.upstream_total, u.upstream_success,
        u.upstream_failed, u.upstream_upstream_failed, u.upstream_skipped, u.upstream_removed, u.setup_total,
        u.setup_success, u.setup_failed, u.setup_skipped, false, $6::timestamptz, i.positions::int[], i.label
      from unexpanded u cross join unnest($3::text[], $4::text[]) with ordinality as i (positions, label, number)
      on conflict (run_id, task_id, map_index) do update set
        -- Of one whose old worker may still run, as of one that was cleared: two of them never run at once.
        state = case when task_instance.retry_at > $7 or exists (
            select from attempt a where a.task_instance_id = task_instance.id and a.outcome is null)
          then 'restarting' else excluded.state end,
        reason = null, retry_at = case when task_instance.retry_at > $7 then task_instance.retry_at end,
        max_tries = task_instance.try_number + excluded.max_tries, infrastructure_failures = 0, same_try = false,
        queued_at = null, start_date = null, end_date = null, lane_id = null, waits_for = null, counted = false, scheduled_at = excluded.scheduled_at, upstream_total = excluded.upstream_total,
        upstream_success = excluded.upstream_success, upstream_failed = excluded.upstream_failed,
        upstream_upstream_failed = excluded.upstream_upstream_failed, upstream_skipped = excluded.upstream_skipped,
        upstream_removed = excluded.upstream_removed, setup_total = excluded.setup_total,
        setup_success = excluded.setup_success, setup_failed = excluded.setup_failed,
        setup_skipped = excluded.setup_skipped, map_positions = excluded.map_positions,
        rendered_map_index = excluded.rendered_map_index`,
    values: [
      runId,
      taskIds,
      positions.map((each) => `{${each.join(",")}}`),
      labels,
      scheduled ? "scheduled" : null,
      scheduled ? now : null,
      now,
    ],
  });
}
