// Turns a task's input expressions into values, from the run's params, the results of finished upstream tasks, and the items
// that an instance is mapped over.

import type { Expression, RunField, TaskDefinition } from "./definition.ts";
import type { Json, JsonObject } from "./json.ts";

export interface InputSources {
  params: JsonObject;
  /**
   * By task id, as the reader sees them: of a task with several instances the array of the results of those that succeeded,
   * in the order of their indexes. A task that ran without returning has null.
   */
  results: ReadonlyMap<string, Json>;
  /** null where no fact of the run can be asked for. */
  run: Record<RunField, string | null> | null;
  /** By the names of the map's arrays. */
  items: ReadonlyMap<string, Json>;
}

export function resolveInputs(task: Pick<TaskDefinition, "inputs">, sources: InputSources): JsonObject {
  return Object.fromEntries(
    Object.entries(task.inputs).map(([name, expression]) => [name, resolveExpression(expression, sources)]),
  );
}

export function resolveExpression(expression: Expression, sources: InputSources): Json {
  switch (expression.kind) {
    case "value":
      return expression.value;
    case "param":
      return pick(sources.params, expression.path);
    case "result": {
      const { task_id, each = [], path } = expression;
      const result = sources.results.get(task_id) ?? null;
      const seen = each.length > 0 && Array.isArray(result) ? result.map((item) => pick(item, each)) : result;
      return pick(seen, path);
    }
    case "item":
      return pick(sources.items.get(expression.name) ?? null, expression.path);
    case "run":
      return sources.run?.[expression.field] ?? null;
    case "object":
      return Object.fromEntries(
        Object.entries(expression.fields).map(([key, value]) => [key, resolveExpression(value, sources)]),
      );
    case "array":
      return expression.items.map((item) => resolveExpression(item, sources));
  }
}

/** What is not there is null, as an absent optional field is in JSON. */
export function pick(value: Json, path: readonly string[]): Json {
  let current: Json = value;
  for (const key of path) {
    if (current === null || typeof current !== "object") return null;
    const next: Json | undefined = Array.isArray(current)
      ? current[Number(key)]
      : Object.hasOwn(current, key)
        ? current[key]
        : null;
    current = next ?? null;
  }
  return current;
}

/** The tasks whose results the expressions read. */
export function listResultsIn(expressions: Iterable<Expression>): string[] {
  const found = new Set<string>();
  const walk = (expression: Expression): void => {
    switch (expression.kind) {
      case "result":
        found.add(expression.task_id);
        return;
      case "object":
        Object.values(expression.fields).forEach(walk);
        return;
      case "array":
        expression.items.forEach(walk);
        return;
      case "value":
      case "param":
      case "item":
      case "run":
        return;
    }
  };
  for (const expression of expressions) walk(expression);
  return [...found];
}

/** The tasks whose results the inputs read. */
export function listResultSources(task: TaskDefinition): string[] {
  return listResultsIn(Object.values(task.inputs));
}
