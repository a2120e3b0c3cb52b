// map() and zip(): one instance of a task for each item of arrays that may exist only when the DAG runs.

import type { Expression, MapDefinition } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { compileInput } from "./compile-input.ts";
import type { Draft } from "./draft.ts";
import type { Input } from "./input.ts";
import { createReference, type Reference } from "./reference.ts";
import { refuseUnknownOptions } from "./task-settings.ts";

/** An array, or a reference to one, for each input that differs from instance to instance. */
export type MapArrays<I, Name extends keyof I> = { [Each in Name]: Input<Exclude<I[Each], undefined>[]> };

/** The inputs that all instances share, then the options. */
export type MapArguments<I, Name extends keyof I> =
  Record<never, never> extends Omit<I, Name>
    ? [constants?: Inputs<Omit<I, Name>>, options?: MapOptions<Items<I, Name>>]
    : [constants: Inputs<Omit<I, Name>>, options?: MapOptions<Items<I, Name>>];

type Inputs<I> = { [Name in keyof I]: Input<I[Name]> };
type Items<I, Name extends keyof I> = { readonly [Each in Name]: Reference<Exclude<I[Each], undefined>> };

export interface MapOptions<Named> {
  /** What each instance is called, out of its items: a reference to text or a number, or several with text between. */
  name?: (items: Named) => InstanceName;
  /** More items than this fail the map. 1024 unless given, 100,000 at most. */
  maxMapLength?: number;
}

type NamePart = Reference<string | number | boolean>;
export type InstanceName = NamePart | readonly (NamePart | string)[];

// As in core/definition.ts, of which the sdk has the types alone.
const LARGEST_MAX_MAP_LENGTH = 100_000;

export interface CompiledMap {
  map: MapDefinition;
  /** What an instance gets for each array. */
  items: { [name: string]: Expression };
}

/** @param mode how several arrays are combined */
export function compileMap(
  draft: Draft,
  where: string,
  over: unknown,
  options: unknown,
  mode: "cross" | "zip",
): CompiledMap {
  if (typeof over !== "object" || over === null || Object.keys(over).length === 0) {
    throw authorError(`${where} must be given an object with at least one array, e.g. ({ n: [1, 2, 3] }).`);
  }
  if (draft.expander !== null) {
    throw authorError(
      `${where} is called inside of the mapped group "${draft.expander}", whose tasks run once for each item already. ` +
        `Call the task without map() here, or map it outside of the group.`,
    );
  }
  const names = Object.keys(over);
  const arrays = Object.entries(over).map(([name, value]) => ({
    name,
    array: compileArray(value, `${where}: ${name}`, draft),
  }));
  const items = names.map((name): [string, Expression] => [name, { kind: "item", name, path: [] }]);
  const map: MapDefinition = {
    over: arrays,
    ...compileOptions(draft, where, options, (scope) => createItems(draft, names, scope)),
  };
  if (mode === "zip") map.mode = "zip";
  return { map, items: Object.fromEntries(items) };
}

export function compileArray(value: unknown, path: string, draft: Draft): Expression {
  const expression = compileInput(value, path, { owner: draft, scope: draft.expander });
  const isArray = expression.kind !== "value" || Array.isArray(expression.value);
  if (expression.kind !== "object" && expression.kind !== "run" && isArray) return expression;
  throw authorError(`${path} is ${describeValue(value)}, but must be an array to run over, or a reference to one.`);
}

/** @param createSubject what the naming function is called with */
export function compileOptions(
  draft: Draft,
  where: string,
  options: unknown,
  createSubject: (scope: string) => object,
): Pick<MapDefinition, "label" | "max_length"> {
  refuseUnknownOptions(options, ["name", "maxMapLength"], where);
  const { name, maxMapLength } = options as { name?: unknown; maxMapLength?: unknown };
  const compiled: Pick<MapDefinition, "label" | "max_length"> = {};
  if (maxMapLength !== undefined) compiled.max_length = checkLength(maxMapLength, where);
  if (name !== undefined) compiled.label = compileName(draft, where, name, createSubject);
  return compiled;
}

function createItems(draft: Draft, names: readonly string[], scope: string): object {
  return Object.fromEntries(
    names.map((name) => [name, createReference({ kind: "item", name, path: [] }, draft, scope)]),
  );
}

function checkLength(value: unknown, where: string): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST_MAX_MAP_LENGTH) return Number(value);
  throw authorError(
    `${where}: maxMapLength is ${describeValue(value)}. Use a whole number from 1 to ${LARGEST_MAX_MAP_LENGTH}.`,
  );
}

function compileName(draft: Draft, where: string, name: unknown, createSubject: (scope: string) => object): Expression {
  const path = `${where}: name`;
  if (typeof name !== "function") {
    throw authorError(`${path} is ${describeValue(name)}. Use a function such as ({ n }) => n.`);
  }
  const expression = compileInput(name(createSubject(path)), path, { owner: draft, scope: path });
  const parts = expression.kind === "array" ? expression.items : [expression];
  const isText = (part: Expression) => part.kind === "value" && typeof part.value === "string";
  const isNamed =
    parts.some((part) => part.kind === "item") && parts.every((part) => part.kind === "item" || isText(part));
  if (isNamed) return expression;
  throw authorError(`${path} must return a part of an item, or an array of such parts and text: ({ n }) => ["n ", n].`);
}
