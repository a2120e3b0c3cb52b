// Schemas of a task's inputs and result, checked where the task runs: before its function, and after it. Any library that
// speaks Standard Schema will do; zod is one.

import { authorError, describeValue } from "./author-error.ts";
import { type CompiledFunction, NO_RETRY } from "./compiled.ts";

export interface ValueSchema<T> {
  readonly "~standard": {
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
    readonly validate: (value: unknown) => Validated<T> | Promise<Validated<T>>;
  };
}

type Validated<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] };
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface SchemaOptions<I, R> {
  /** What the function is given must fit; it gets what the schema makes of it. No retry follows: inputs stay as they are. */
  input?: ValueSchema<I>;
  /** What the function returns must fit; later tasks get what the schema makes of it. */
  output?: ValueSchema<R>;
}

export const SCHEMA_OPTIONS = ["input", "output"];

/** The function between its schemas. */
export function checkAround(
  run: CompiledFunction,
  { input, output }: { input?: unknown; output?: unknown },
  where: string,
): CompiledFunction {
  const before = readSchema(input, `${where}: input`);
  const after = readSchema(output, `${where}: output`);
  if (!before && !after) return run;
  return async (inputs, runtime) => {
    const given = before ? await validate(before, inputs, "its inputs do", true) : inputs;
    const returned = await run(given as typeof inputs, runtime);
    return after ? validate(after, returned, "what it returned does", false) : returned;
  };
}

function readSchema(schema: unknown, path: string): ValueSchema<unknown> | null {
  if (schema === undefined) return null;
  const standard: unknown = typeof schema === "object" && schema !== null ? Reflect.get(schema, "~standard") : null;
  if (typeof standard === "object" && standard !== null && "validate" in standard) {
    // What has the interface's mark is taken at its word.
    return schema as ValueSchema<unknown>;
  }
  throw authorError(`${path} is ${describeValue(schema)}. Use a schema such as z.object({ day: z.iso.date() }).`);
}

async function validate(schema: ValueSchema<unknown>, value: unknown, what: string, final: boolean): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const faults = result.issues.map(({ path = [], message }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
    return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
  });
  const error = Object.assign(new Error(`${what} not fit the schema: ${faults.join("; ")}`), { name: "SchemaError" });
  throw final ? Object.assign(error, { [NO_RETRY]: true }) : error;
}
