// The tasks that an expression waits for.

import type { Expression } from "../core/definition.ts";

/** The tasks whose results the expressions read, once each. */
export function listResultsIn(expressions: readonly Expression[]): string[] {
  return [...new Set(expressions.flatMap(listAll))];
}

function listAll(expression: Expression): string[] {
  switch (expression.kind) {
    case "result":
      return [expression.task_id];
    case "object":
      return Object.values(expression.fields).flatMap(listAll);
    case "array":
      return expression.items.flatMap(listAll);
    case "value":
    case "param":
    case "item":
    case "run":
      return [];
  }
}
