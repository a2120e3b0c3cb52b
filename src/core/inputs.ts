// Turns a task's input expressions into values, from the run's params and the results of finished upstream tasks.

import type { Expression, RunField, TaskDefinition } from "./definition.ts";
import type { Json, JsonObject } from "./json.ts";

export interface InputSources {
  params: JsonObject;
  /** By task id; a task that ran without returning has null. */
  results: ReadonlyMap<string, Json>;
  run: Record<RunField, string | null>;
}

export function resolveInputs(task: Pick<TaskDefinition, "inputs">, sources: InputSources): JsonObject {
  return Object.fromEntries(
    Object.entries(task.inputs).map(([name, expression]) => [name, resolve(expression, sources)]),
  );
}

function resolve(expression: Expression, sources: InputSources): Json {
  switch (expression.kind) {
    case "value":
      return expression.value;
    case "param":
      return pick(sources.params, expression.path);
    case "result":
      return pick(sources.results.get(expression.task_id) ?? null, expression.path);
    case "run":
      return sources.run[expression.field];
    case "object":
      return Object.fromEntries(
        Object.entries(expression.fields).map(([key, value]) => [key, resolve(value, sources)]),
      );
    case "array":
      return expression.items.map((item) => resolve(item, sources));
  }
}

/** What is not there is null, as an absent optional field is in JSON. */
function pick(value: Json, path: readonly string[]): Json {
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

/** The tasks whose results the inputs read. */
export function listResultSources(task: TaskDefinition): string[] {
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
      case "run":
        return;
    }
  };
  Object.values(task.inputs).forEach(walk);
  return [...found];
}
