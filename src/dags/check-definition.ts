// Judges what the sealed evaluator handed over: first its shape (contract/definition.ts), then what the parts must mean to
// each other. Every complaint names the DAG and the field.

import { isDeepStrictEqual } from "node:util";
import { dagDefinition } from "../contract/definition.ts";
import { findContainerFaults } from "../core/container.ts";
import { listAssetsOfDag } from "../core/asset-condition.ts";
import { findBranchFaults } from "../core/decision.ts";
import type { AssetDefinition, DagDefinition, Expression, TaskDefinition } from "../core/definition.ts";
import type { FieldError } from "../core/errors.ts";
import { indexDag } from "../core/graph.ts";
import { findScheduleFault } from "../core/ticks.ts";
import { findMappingFaults } from "./check-mapping.ts";
import { isWait } from "../core/operator.ts";

export interface DefinitionError extends FieldError {
  /** Ids that the author wrote near the fault, the nearest first. */
  ids: string[];
}

export interface Checked {
  definitions: DagDefinition[];
  errors: DefinitionError[];
}

type Found = FieldError & { task_id?: string | undefined };

export function checkDefinitions(values: readonly unknown[]): Checked {
  const definitions: DagDefinition[] = [];
  const errors: DefinitionError[] = [];
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    const parsed = dagDefinition.safeParse(value);
    const dagId = nameOf(value);
    const name = dagId ?? `number ${index + 1} of the file`;
    const found: Found[] = parsed.success
      ? findFaults(parsed.data)
      : parsed.error.issues.map(({ path, message }) => ({ ...locate(path, value), message }));
    if (parsed.success && seen.has(parsed.data.dag_id))
      found.push({ path: "dag_id", message: "the file defines this id twice" });
    errors.push(
      ...found.map(({ path, message, task_id }) => ({
        path: `DAG "${name}"${path && `, ${path}`}`,
        message,
        ids: [task_id, dagId].filter((id) => typeof id === "string"),
      })),
    );
    if (!parsed.success) continue;
    seen.add(parsed.data.dag_id);
    definitions.push(parsed.data);
  }
  return { definitions, errors };
}

function nameOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("dag_id" in value)) return null;
  return typeof value.dag_id === "string" ? value.dag_id.slice(0, 250) : null;
}

/** `tasks[2].retries`, with the task's id where there is one: an author does not count tasks. */
function locate(path: readonly PropertyKey[], value: unknown): { path: string; task_id?: string } {
  const text = path.reduce<string>(
    (before, part) =>
      typeof part === "number" ? `${before}[${part}]` : before === "" ? String(part) : `${before}.${String(part)}`,
    "",
  );
  const [first, index] = path;
  if (first !== "tasks" || typeof index !== "number") return { path: text };
  const tasks = (value as { tasks?: { task_id?: unknown }[] }).tasks;
  const id = tasks?.[index]?.task_id;
  if (typeof id !== "string") return { path: text };
  return { path: text.replace(`tasks[${index}]`, () => `task "${id.slice(0, 250)}"`), task_id: id };
}

function findFaults(dag: DagDefinition): Found[] {
  return [
    ...findScheduleFaults(dag),
    ...findAssetFaults(dag),
    ...dag.tasks.flatMap((task) => findTaskFaults(dag, task)),
    ...findOperatorFaults(dag),
    ...findGraphFaults(dag),
    ...findMappingFaults(dag),
    ...findTextFaults(dag),
  ];
}

function findScheduleFaults(dag: DagDefinition): Found[] {
  const errors: Found[] = [];
  const fault = dag.schedule && findScheduleFault(dag.schedule);
  if (fault) errors.push({ path: "schedule", message: fault });
  const required = dag.schedule === null && !dag.assets ? [] : dag.params_schema?.["required"];
  for (const name of Array.isArray(required) ? required.filter((each) => typeof each === "string") : []) {
    errors.push({
      path: `params.${name}`,
      message: "has no default, but the schedule creates runs without params; give it one",
    });
  }
  if (dag.start_date && dag.end_date && Date.parse(dag.end_date) < Date.parse(dag.start_date)) {
    errors.push({ path: "end_date", message: `${dag.end_date} lies before the start_date ${dag.start_date}` });
  }
  return errors;
}

function findAssetFaults(dag: DagDefinition): Found[] {
  const known = new Map<string, AssetDefinition>();
  // Events are written with the success of an attempt, which these kinds do without.
  const mute = dag.tasks.filter(({ kind, outlets }) => outlets && kind !== "function" && kind !== "pod");
  const misplaced = mute.map(({ task_id, kind }) => ({
    task_id,
    path: `task "${task_id}".outlets`,
    message: `has no meaning with a task of kind ${kind}; give the outlets to a task after it`,
  }));
  const ambiguous = listAssetsOfDag(dag).flatMap((asset) => {
    const first = known.get(asset.name) ?? asset;
    known.set(asset.name, first);
    const same = first.uri === asset.uri && first.group === asset.group && isDeepStrictEqual(first.extra, asset.extra);
    if (same) return [];
    const path = `asset ${JSON.stringify(asset.name)}`;
    return [{ path, message: "has two meanings in the DAG: define it once, and use that value everywhere" }];
  });
  return [...misplaced, ...ambiguous];
}

function findTaskFaults(dag: DagDefinition, task: TaskDefinition): Found[] {
  const errors: Found[] = [];
  const { task_id } = task;
  const path = `task "${task_id}"`;
  const upstream = new Set(task.upstream);
  if (upstream.size < task.upstream.length) {
    errors.push({ task_id, path: `${path}.upstream`, message: "names a task twice" });
  }
  errors.push(...findContainerMisuse(task).map((fault) => ({ ...fault, task_id, path: `${path}.${fault.path}` })));
  for (const [name, expression] of Object.entries(task.inputs)) {
    for (const used of resultsIn(expression)) {
      if (upstream.has(used)) continue;
      const message = `uses the result of "${used}", which is not upstream of the task`;
      errors.push({ task_id, path: `${path}.inputs.${name}`, message });
    }
    if (dag.params_schema === null && usesParams(expression)) {
      errors.push({ task_id, path: `${path}.inputs.${name}`, message: "uses a param, but the DAG takes none" });
    }
  }
  return errors;
}

function findOperatorFaults(dag: DagDefinition): Found[] {
  const tasks = new Map(dag.tasks.map((task) => [task.task_id, task]));
  return dag.tasks.flatMap((task) =>
    [...findBranchFaults(task, tasks), ...findKindFaults(task)].map((message) => ({
      task_id: task.task_id,
      path: `task "${task.task_id}".operator`,
      message,
    })),
  );
}

/** What waits has an operator that says for what, and nothing else has one of those. */
function findKindFaults({ kind, operator }: TaskDefinition): string[] {
  if (kind === "wait") return isWait(operator) ? [] : ["is missing, and a task of kind wait needs one that waits"];
  if (operator === undefined || (kind === "function" && !isWait(operator))) return [];
  return [`"${operator.type}" does not belong to a task of kind ${kind}`];
}

function findContainerMisuse(task: TaskDefinition): FieldError[] {
  if (task.kind !== "pod") {
    return task.container === null ? [] : [{ path: "container", message: "belongs to tasks of kind pod alone" }];
  }
  if (task.container === null) return [{ path: "container", message: "is missing, and a task of kind pod needs one" }];
  return [
    ...findContainerFaults({ env: { kind: "value", value: task.container.env } }).map(({ path, message }) => ({
      path: `container.${path}`,
      message,
    })),
    ...findContainerFaults(task.inputs).map(({ path, message }) => ({ path: `inputs.${path}`, message })),
  ];
}

function findGraphFaults(dag: DagDefinition): Found[] {
  const ids = new Set<string>();
  const twice = new Set<string>();
  for (const { task_id } of dag.tasks) (ids.has(task_id) ? twice : ids).add(task_id);
  const errors: Found[] = [...twice].map((task_id) => ({
    task_id,
    path: `task "${task_id}"`,
    message: "the id is taken by another task of the DAG",
  }));
  for (const { task_id, upstream } of dag.tasks) {
    for (const id of upstream) {
      if (ids.has(id)) continue;
      errors.push({ task_id, path: `task "${task_id}".upstream`, message: `there is no task "${id}" in the DAG` });
    }
  }
  // The order is complete only for graphs that are sound otherwise.
  if (errors.length > 0) return errors;
  const sorted = new Set(indexDag(dag).order);
  const left = dag.tasks.filter((task) => !sorted.has(task.task_id));
  if (left.length === 0) return [];
  return [{ path: "tasks", message: `wait for each other in a circle: ${describeCycle(left)}` }];
}

/** Walks upstream inside the tasks that could not be sorted: each has an upstream task among them. */
function describeCycle(left: readonly TaskDefinition[]): string {
  const byId = new Map(left.map((task) => [task.task_id, task]));
  const walked: string[] = [];
  for (let task = left[0]; task; task = byId.get(task.upstream.find((id) => byId.has(id)) ?? "")) {
    const start = walked.indexOf(task.task_id);
    if (start >= 0) return [...walked.slice(start), task.task_id].toReversed().join(" → ");
    walked.push(task.task_id);
  }
  return walked.join(", ");
}

// JSON.stringify writes a lone surrogate as an escape; an even number of backslashes before it means that it is one.
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

function findTextFaults(dag: DagDefinition): Found[] {
  if (!UNSTORABLE.test(JSON.stringify(dag))) return [];
  return [
    { path: "", message: "holds a text with a NUL character or half of a surrogate pair, which cannot be stored" },
  ];
}

function* resultsIn(expression: Expression): Generator<string> {
  if (expression.kind === "result") yield expression.task_id;
  for (const part of partsOf(expression)) yield* resultsIn(part);
}

function usesParams(expression: Expression): boolean {
  return expression.kind === "param" || partsOf(expression).some(usesParams);
}

function partsOf(expression: Expression): Expression[] {
  switch (expression.kind) {
    case "object":
      return Object.values(expression.fields);
    case "array":
      return expression.items;
    case "value":
    case "param":
    case "result":
    case "item":
    case "run":
      return [];
  }
}
