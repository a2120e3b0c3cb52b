// A DAG's params: the author's schema becomes the JSON Schema that the API checks triggers against. The schema is asked
// through the Standard JSON Schema interface, so that the sdk needs no copy of zod.

import type { JsonObject } from "../core/json.ts";
import { authorError, describeValue } from "./author-error.ts";
import { compileJson } from "./compile-input.ts";
import type { Field, Serialised } from "./output.ts";
import { createReference, type Reference } from "./reference.ts";

const OPTIONS = { target: "draft-2020-12" } as const;
type Convert = (options: typeof OPTIONS) => { [key: string]: unknown };

/** What `z.object({ … })` is, as far as the sdk is concerned. */
export interface ParamsSchema<Params extends object = object> {
  readonly "~standard": {
    readonly types?: { readonly input: unknown; readonly output: Params } | undefined;
    readonly jsonSchema: { readonly input: Convert; readonly output: Convert };
  };
}

export type ParamReferences<Params> = {
  readonly [Name in keyof Params]-?: Reference<Serialised<Field<Params, Name>>>;
};

/** @param where names the DAG */
export function compileParamsSchema(schema: unknown, where: string): JsonObject | null {
  if (schema === undefined || schema === null) return null;
  const convert = findConverters(schema);
  if (!convert) {
    throw authorError(
      `${where}: params is ${describeValue(schema)}. Use a zod object, e.g. z.object({ day: z.iso.date() }).`,
    );
  }
  let input: { [key: string]: unknown };
  let output: { [key: string]: unknown };
  try {
    input = convert.input(OPTIONS);
    output = convert.output(OPTIONS);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw authorError(
      `${where}: params cannot be written as JSON Schema (${reason}). Use only what JSON has (no dates, transforms or custom types) and convert inside the task.`,
      error,
    );
  }
  if (input.type !== "object" || typeof input.properties !== "object") {
    throw authorError(`${where}: params must be an object with named fields, e.g. z.object({ day: z.iso.date() }).`);
  }
  if (shapeOf(input) !== shapeOf(output)) {
    throw authorError(
      `${where}: params change their value when parsed (by a pipe or codec). Tasks get them as they were given: convert inside the task.`,
    );
  }
  // A misspelt param is an error of the caller, not something to drop in silence.
  return compileJson({ additionalProperties: false, ...input }, `${where}: params`) as JsonObject;
}

export function createParamReferences(schema: JsonObject | null, owner: object): { [name: string]: object } {
  const names = Object.keys(schema?.properties ?? {});
  return Object.fromEntries(names.map((name) => [name, createReference({ kind: "param", path: [name] }, owner)]));
}

function findConverters(schema: unknown): { input: Convert; output: Convert } | null {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null || !("~standard" in schema))
    return null;
  const standard = schema["~standard"];
  if (typeof standard !== "object" || standard === null || !("jsonSchema" in standard)) return null;
  return standard.jsonSchema as { input: Convert; output: Convert };
}

/** The schema without what rightly differs between the two sides: defaults, and what follows from them. */
function shapeOf(schema: { [key: string]: unknown }): string {
  return JSON.stringify(schema, (key, value: unknown) =>
    key === "required" || key === "default" || (key === "additionalProperties" && value === false) ? undefined : value,
  );
}
