// How mapped tasks and groups become instances: what their arrays must be, which items each instance gets, and by how many
// the instances downstream now wait for more. Pure; the store and `dags test` perform it.

import { DEFAULT_MAX_MAP_LENGTH, type Expression, type MapDefinition } from "./definition.ts";
import { type DagGraph, isMapped, isSameIndex } from "./graph.ts";
import { resolveExpression } from "./inputs.ts";
import type { Json } from "./json.ts";
import type { FinishedTaskState } from "./states.ts";

/** One array to run over, by the positions of its items: those of an array, or the indexes of a map's successes. */
export interface MappedArray {
  name: string;
  positions: readonly number[];
}

export type ExpansionPlan =
  /** For each instance, for each array in their order, the position of its item. */
  | { kind: "expand"; positions: number[][] }
  | { kind: "end"; state: "failed" | "upstream_failed" | "skipped"; reason: string };

export function planExpansion(map: MapDefinition, arrays: readonly MappedArray[]): ExpansionPlan {
  const sizes = arrays.map(({ name, positions }) => `"${name}" has ${positions.length}`).join(", ");
  const lengths = arrays.map(({ positions }) => positions.length);
  if (map.mode === "zip" && new Set(lengths).size > 1) {
    return fail(`the arrays that it zips differ in length: ${sizes}. Make them equally long`);
  }
  const length = map.mode === "zip" ? (lengths[0] ?? 0) : lengths.reduce((product, each) => product * each, 1);
  const limit = map.max_length ?? DEFAULT_MAX_MAP_LENGTH;
  if (length > limit) {
    return fail(
      `it would have ${length} instances (${sizes}), and its maxMapLength is ${limit}. Raise it, or map over less`,
    );
  }
  if (length === 0) return { kind: "end", state: "skipped", reason: `it has nothing to run over: ${sizes}` };
  const place = map.mode === "zip" ? () => 1 : (index: number) => multiply(lengths.slice(index + 1));
  const strides = lengths.map((_, index) => place(index));
  return {
    kind: "expand",
    positions: Array.from({ length }, (_, instance) =>
      arrays.map(({ positions }, index) => {
        const item = Math.floor(instance / (strides[index] ?? 1)) % (lengths[index] ?? 1);
        return positions[item] ?? 0;
      }),
    ),
  };
}

function multiply(numbers: readonly number[]): number {
  return numbers.reduce((result, each) => result * each, 1);
}

function fail(reason: string): ExpansionPlan {
  return { kind: "end", state: "failed", reason: `not expanded: ${reason}` };
}

export function failWrongType(name: string, value: Json): ExpansionPlan {
  const found = value === null ? "null" : typeof value === "object" ? "an object" : `the ${typeof value} ${value}`;
  return fail(`"${name}" must be an array, but is ${found.slice(0, 100)}`);
}

/** The end of what cannot be expanded, because a task did not succeed that its arrays are taken from; null: all did. */
export function judgeSources(sources: readonly { task_id: string; state: FinishedTaskState }[]): ExpansionPlan | null {
  const missing = sources.filter(({ state }) => state !== "success");
  if (missing.length === 0) return null;
  const broken = missing.find(({ state }) => state === "failed" || state === "upstream_failed");
  const { task_id, state } = broken ?? missing[0] ?? { task_id: "", state: "skipped" };
  return {
    kind: "end",
    state: broken ? "upstream_failed" : "skipped",
    reason: `not expanded: the array comes from "${task_id}", which is ${state}`,
  };
}

/** The map whose items an instance of the task gets: its own, or that of its group. */
export function findMap(graph: DagGraph, taskId: string): { task_id: string; map: MapDefinition } | null {
  const owner = graph.expandedBy.get(taskId) ?? taskId;
  const map = graph.tasks.get(owner)?.map;
  return map ? { task_id: owner, map } : null;
}

export type MapSource =
  /** Items are the results of another map's instances, read one by one. */
  { kind: "instances"; task_id: string; each: readonly string[] } | { kind: "array"; expression: Expression };

export function sourceOf(graph: DagGraph, expression: Expression): MapSource {
  if (expression.kind === "result" && expression.path.length === 0 && isMapped(graph, expression.task_id)) {
    return { kind: "instances", task_id: expression.task_id, each: expression.each ?? [] };
  }
  return { kind: "array", expression };
}

/** Tasks that get instances when the given one is expanded: itself, or the members of its group. */
export function listExpanded(graph: DagGraph, taskId: string): readonly string[] {
  return graph.tasks.get(taskId)?.kind === "expand" ? (graph.members.get(taskId) ?? []) : [taskId];
}

/** How many instances those of a task wait for, or how many more: upstream, and setups beside it. */
export interface Totals {
  task_id: string;
  upstream: number;
  setups: number;
}

/** By how much more the instances outside wait for, once each of these tasks has `length` instances in the place of one. */
export function planTotalGrowth(graph: DagGraph, expanded: readonly string[], length: number): Totals[] {
  const growth = new Map<string, Totals>();
  const grow = (from: string, taskId: string, kind: "upstream" | "setups") => {
    if (isSameIndex(graph, from, taskId)) return;
    const entry = growth.get(taskId) ?? { task_id: taskId, upstream: 0, setups: 0 };
    entry[kind] += length - 1;
    growth.set(taskId, entry);
  };
  for (const id of expanded) {
    for (const taskId of graph.downstream.get(id) ?? []) grow(id, taskId, "upstream");
    for (const taskId of graph.guarded.get(id) ?? []) grow(id, taskId, "setups");
  }
  return length === 1 ? [] : [...growth.values()];
}

/** What the instances of each task wait for. @param expanded how many instances a task was expanded to, where it was */
export function planTotals(graph: DagGraph, expanded: ReadonlyMap<string, number>): Totals[] {
  const count = (from: readonly string[], taskId: string) =>
    from.reduce((sum, id) => sum + (isSameIndex(graph, id, taskId) ? 1 : (expanded.get(id) ?? 1)), 0);
  return [...graph.tasks.values()].map(({ task_id, upstream }) => ({
    task_id,
    upstream: count(upstream, task_id),
    setups: count(graph.setups.get(task_id) ?? [], task_id),
  }));
}

const LONGEST_LABEL = 250;

/** What an instance is called; null: it has only its number. */
export function renderLabel(map: MapDefinition, items: ReadonlyMap<string, Json>): string | null {
  if (!map.label) return null;
  const value = resolveExpression(map.label, { params: {}, results: new Map(), run: null, items });
  const parts = map.label.kind === "array" && Array.isArray(value) ? value : [value];
  const text = parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join("");
  return text.slice(0, LONGEST_LABEL);
}

/** The names of the arrays whose items an expression reads. */
export function listItemNames(expression: Expression | undefined): string[] {
  switch (expression?.kind) {
    case "item":
      return [expression.name];
    case "object":
      return Object.values(expression.fields).flatMap(listItemNames);
    case "array":
      return expression.items.flatMap(listItemNames);
    case undefined:
    case "value":
    case "param":
    case "result":
    case "run":
      return [];
  }
}
