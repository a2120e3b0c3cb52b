// The task instances of a run in memory, and what the plans of core/ do to them: the store's part in `dags test`.

import type { DagGraph } from "../core/graph.ts";
import { isMapped, isSameIndex } from "../core/graph.ts";
import { type InputSources, listResultsIn, pick, resolveExpression } from "../core/inputs.ts";
import type { Json } from "../core/json.ts";
import {
  type ExpansionPlan,
  failWrongType,
  judgeSources,
  listExpanded,
  planExpansion,
  planTotalGrowth,
  renderLabel,
  sourceOf,
} from "../core/mapping.ts";
import {
  COUNTERS,
  type FinishedInstance,
  type GroupEnd,
  planCounterGrowth,
  type WaitingInstance,
} from "../core/plan-advance.ts";
import { isFinishedTaskState, type TaskState } from "../core/states.ts";

export interface Instance extends WaitingInstance {
  state: TaskState | null;
  try_number: number;
  error: string | null;
  result: Json;
  /** What it is mapped over, by name. */
  items: ReadonlyMap<string, Json>;
  label: string | null;
}

/** By task id, then by map index, in the order of the definition and of the indexes. */
export type Instances = Map<string, Map<number, Instance>>;

export function createInstances(graph: DagGraph): Instances {
  return new Map(
    [...graph.tasks.values()].map(({ task_id, upstream }) => [
      task_id,
      new Map([
        [
          -1,
          {
            id: task_id,
            task_id,
            map_index: -1,
            upstream: { total: upstream.length, success: 0, failed: 0, upstream_failed: 0, skipped: 0, removed: 0 },
            setups: { total: graph.setups.get(task_id)?.length ?? 0, success: 0, failed: 0, skipped: 0 },
            state: null,
            try_number: 0,
            error: null,
            result: null,
            items: new Map(),
            label: null,
          },
        ],
      ]),
    ]),
  );
}

export function listInstances(instances: Instances, taskIds: Iterable<string> = instances.keys()): Instance[] {
  return [...taskIds].flatMap((id) => [...(instances.get(id)?.values() ?? [])]);
}

/** Returns the instances whose counters grew and that still wait. */
export function growCounters(instances: Instances, graph: DagGraph, finished: readonly FinishedInstance[]): Instance[] {
  return planCounterGrowth(graph, finished).flatMap((entry) => {
    const ofTask = instances.get(entry.task_id);
    const one = entry.map_index === null ? undefined : ofTask?.get(entry.map_index);
    const grown = entry.map_index === null ? [...(ofTask?.values() ?? [])] : one ? [one] : [];
    for (const { upstream, setups } of grown) {
      for (const name of COUNTERS) {
        if (name === "setup_success") setups.success += entry[name];
        else if (name === "setup_failed") setups.failed += entry[name];
        else if (name === "setup_skipped") setups.skipped += entry[name];
        else upstream[name] += entry[name];
      }
    }
    return grown.filter(({ state }) => state === null);
  });
}

/** The unexpanded members of groups that were not expanded. */
export function listMembersToEnd(instances: Instances, { members }: GroupEnd): Instance[] {
  return members.flatMap((id) => instances.get(id)?.get(-1) ?? []).filter(({ state }) => state === null);
}

/** What a task sees of the others; `reader` null is outside of all groups. */
export function readSources(
  instances: Instances,
  graph: DagGraph,
  facts: Pick<InputSources, "params" | "run">,
  taskIds: readonly string[],
  reader: Instance | null,
): InputSources {
  const results = taskIds.map((id): [string, Json] => {
    if (reader && isSameIndex(graph, id, reader.task_id)) return [id, readResult(instances, id, reader.map_index)];
    return [
      id,
      isMapped(graph, id) ? listSuccesses(instances, id).map(({ result }) => result) : readResult(instances, id, -1),
    ];
  });
  return { ...facts, results: new Map(results), items: reader?.items ?? new Map() };
}

function readResult(instances: Instances, taskId: string, mapIndex: number): Json {
  return instances.get(taskId)?.get(mapIndex)?.result ?? null;
}

function listSuccesses(instances: Instances, taskId: string): Instance[] {
  return listInstances(instances, [taskId]).filter(({ map_index, state }) => map_index >= 0 && state === "success");
}

/** Puts instances in the place of an unexpanded one; null, or why that is its end. */
export function expandInstance(
  instances: Instances,
  graph: DagGraph,
  facts: Pick<InputSources, "params" | "run">,
  taskId: string,
): { expanded: Instance[] } | Extract<ExpansionPlan, { kind: "end" }> {
  const map = graph.tasks.get(taskId)?.map;
  if (!map) throw new Error(`task ${taskId} is not mapped`);
  const arrays: { name: string; positions: number[]; items: Map<number, Json> }[] = [];
  const sources = map.over.map(({ name, array }) => ({ name, source: sourceOf(graph, array) }));
  const read = listResultsIn(sources.flatMap(({ source }) => (source.kind === "array" ? [source.expression] : [])));
  const single = read.flatMap((id) => instances.get(id)?.get(-1) ?? []);
  const missing = judgeSources(
    single.flatMap(({ task_id, state }) => (isFinishedTaskState(state) ? [{ task_id, state }] : [])),
  );
  if (missing?.kind === "end") return missing;
  for (const { name, source } of sources) {
    if (source.kind === "instances") {
      const found = listSuccesses(instances, source.task_id);
      const items = new Map(found.map(({ map_index, result }) => [map_index, pick(result, source.each)]));
      arrays.push({ name, positions: [...items.keys()], items });
      continue;
    }
    const value = resolveExpression(source.expression, readSources(instances, graph, facts, read, null));
    const fault = Array.isArray(value) ? null : failWrongType(name, value);
    if (fault?.kind === "end") return fault;
    const items = new Map((Array.isArray(value) ? value : []).entries());
    arrays.push({ name, positions: [...items.keys()], items });
  }
  const plan = planExpansion(map, arrays);
  if (plan.kind === "end") return plan;
  const members = listExpanded(graph, taskId);
  for (const { task_id, upstream, setups } of planTotalGrowth(graph, members, plan.positions.length)) {
    for (const instance of listInstances(instances, [task_id])) {
      instance.upstream.total += upstream;
      instance.setups.total += setups;
    }
  }
  const expanded = members.flatMap((member) => {
    const unexpanded = instances.get(member)?.get(-1);
    if (!unexpanded) return [];
    const made = plan.positions.map((positions, index): [number, Instance] => {
      const items = new Map(
        arrays.map(({ name, items: ofArray }, place) => [name, ofArray.get(positions[place] ?? 0) ?? null]),
      );
      const { upstream, setups } = unexpanded;
      const own = { upstream: { ...upstream }, setups: { ...setups }, items, label: renderLabel(map, items) };
      return [index, { ...unexpanded, ...own, id: `${member}[${index}]`, map_index: index }];
    });
    instances.set(member, new Map(made));
    return made.map(([, instance]) => instance);
  });
  return { expanded };
}
