// Turns what an author passed to a task into an expression: literals are checked to survive JSON, references are kept.

import type { Expression } from "../core/definition.ts";
import type { Json } from "../core/json.ts";
import { authorError, describeValue } from "./author-error.ts";
import { readReference } from "./reference.ts";

/** Which references are allowed: those of a DAG, with those of the mapped group that the place is in. */
export interface Surroundings {
  owner: object;
  scope: string | null;
}

/**
 * @param path names the place in errors, e.g. `task "load": inputs.day`
 * @param around null allows no references
 */
export function compileInput(value: unknown, path: string, around: Surroundings | null): Expression {
  return compile(value, path, around, []);
}

/** A value without references. */
export function compileJson(value: unknown, path: string): Json {
  const expression = compileInput(value, path, null);
  if (expression.kind === "value") return expression.value;
  throw authorError(`${path} must be a plain value.`);
}

function compile(value: unknown, path: string, around: Surroundings | null, parents: readonly object[]): Expression {
  const reference = readReference(value);
  if (reference) {
    if (reference.owner === around?.owner) {
      if (reference.scope === null || reference.scope === around.scope) return reference.expression;
      throw authorError(
        `${path} is a reference out of the mapped group "${reference.scope}", where it has one value for each item. ` +
          `Return it from the group's function, and use .result of what group() returns.`,
      );
    }
    throw authorError(
      around === null
        ? `${path} is a reference. Only a task's inputs may refer to results, params and facts of the run.`
        : `${path} belongs to another DAG. Call the task inside this DAG's function and pass that result.`,
    );
  }
  if (typeof value !== "object" || value === null) return { kind: "value", value: checkScalar(value, path) };
  if (parents.includes(value)) throw authorError(`${path} contains itself, which JSON cannot carry.`);
  const inside = [...parents, value];
  if (Array.isArray(value)) {
    // Array.from visits holes too, which are undefined and refused.
    return joinArray(Array.from(value, (item: unknown, index) => compile(item, `${path}[${index}]`, around, inside)));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuse(value, path);
  return joinObject(
    Object.entries(value)
      // An absent optional field and one that is undefined are the same in JSON.
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, compile(field, `${path}.${name}`, around, inside)]),
  );
}

function joinArray(items: Expression[]): Expression {
  const values = items.map(literalOf);
  return values.every((value) => value !== undefined) ? { kind: "value", value: values } : { kind: "array", items };
}

function joinObject(fields: [string, Expression][]): Expression {
  const values = fields.map(([name, field]): [string, Json | undefined] => [name, literalOf(field)]);
  return values.every((entry): entry is [string, Json] => entry[1] !== undefined)
    ? { kind: "value", value: Object.fromEntries(values) }
    : { kind: "object", fields: Object.fromEntries(fields) };
}

function literalOf(expression: Expression): Json | undefined {
  return expression.kind === "value" ? expression.value : undefined;
}

function checkScalar(value: unknown, path: string): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return refuse(value, path);
}

function refuse(value: unknown, path: string): never {
  throw authorError(
    `${path} is ${describeValue(value)}, which JSON cannot carry. Pass text, finite numbers, booleans, null, plain objects, arrays, or references.`,
  );
}
