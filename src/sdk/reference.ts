// A typed stand-in, while the DAG is built, for a value that exists only when it runs.

import type { Expression } from "../core/definition.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import type { Field, KeyOf } from "./output.ts";

declare const VALUE: unique symbol;
const SOURCE = Symbol("windlass.reference");

export interface Reference<out T> {
  /** Exists for the compiler only. */
  readonly [VALUE]: T;
  /** A field of an object, or an item of an array, of the value. */
  // `this` carries the type, so that Reference<T> stays covariant in T.
  get<S, Key extends KeyOf<S>>(this: Reference<S>, key: Key): Reference<Field<S, Key>>;
}

export type ReferenceExpression = Extract<Expression, { kind: "param" | "result" | "item" | "run" }>;

export interface ReferenceSource {
  expression: ReferenceExpression;
  /** The DAG under construction that it belongs to. */
  owner: object;
  /** The mapped group outside of which it is no single value; null: it has one anywhere in the DAG. */
  scope: string | null;
}

/** Makes a reference; `extra` are methods of a node. */
export function createReference(expression: ReferenceExpression, owner: object, scope: string | null = null): object {
  const refuse = () => {
    throw authorError(
      `${nameReference(expression)} has no value while the DAG is built. Pass it to a task as an input and use it there.`,
    );
  };
  const source: ReferenceSource = { expression, owner, scope };
  const get = (key: unknown) => atAuthorsLine(get, () => createReference(extendPath(expression, key), owner, scope));
  return {
    [SOURCE]: source,
    get,
    // `${reference}`, reference + 1 and JSON.stringify(reference) compile: refuse what would be nonsense at run time.
    [Symbol.toPrimitive]: function toPrimitive() {
      return atAuthorsLine(toPrimitive, refuse);
    },
    toJSON: function toJSON() {
      return atAuthorsLine(toJSON, refuse);
    },
  };
}

export function readReference(value: unknown): ReferenceSource | null {
  return typeof value === "object" && value !== null && SOURCE in value ? (value[SOURCE] as ReferenceSource) : null;
}

function extendPath(expression: ReferenceExpression, key: unknown): ReferenceExpression {
  const isIndex = typeof key === "number" && Number.isInteger(key) && key >= 0;
  if (!isIndex && typeof key !== "string") {
    throw authorError(
      `${nameReference(expression)}: .get(${describeValue(key)}) needs the name of a field or an index from 0 on.`,
    );
  }
  if (expression.kind === "run")
    throw authorError(`${nameReference(expression)} is text and has no field ${describeValue(key)}.`);
  return { ...expression, path: [...expression.path, String(key)] };
}

function nameReference(expression: ReferenceExpression): string {
  switch (expression.kind) {
    case "param":
      return `The param "${expression.path.join(".")}"`;
    case "item":
      return `The item "${[expression.name, ...expression.path].join(".")}"`;
    case "run":
      return `The run's ${expression.field}`;
    case "result":
      return `The result of task "${expression.task_id}"${expression.path.map((key) => `.get(${JSON.stringify(key)})`).join("")}`;
  }
}
