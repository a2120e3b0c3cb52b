import { Ajv2020 } from "ajv/dist/2020.js";
import { dag, task } from "windlass";
import { expect, test } from "vitest";
import { z } from "zod";
import { COMPILED_DAG } from "./compiled.ts";
import type { ParamsSchema } from "./params.ts";

const use = task("use", ({ value }: { value: unknown }) => value);

function schemaOf(params: unknown) {
  const made = dag("d", { params: params as ParamsSchema }, () => use({ value: 1 }));
  return made[COMPILED_DAG].definition.params_schema;
}

test("a zod object becomes a JSON Schema that refuses misspelt params", () => {
  const schema = schemaOf(
    z.object({ day: z.iso.date(), limit: z.int().min(1).default(10), tags: z.array(z.string()).optional() }),
  );
  expect(schema).toMatchObject({
    type: "object",
    required: ["day"],
    additionalProperties: false,
    properties: { day: { type: "string", format: "date" }, limit: { type: "integer", default: 10 } },
  });
  const validate = new Ajv2020({ useDefaults: true, strict: false, validateFormats: false }).compile(schema ?? {});
  const params = { day: "2026-01-31" };
  expect(validate(params)).toBe(true);
  expect(params).toEqual({ day: "2026-01-31", limit: 10 });
  expect(validate({ day: "2026-01-31", limt: 1 })).toBe(false);
  expect(validate({ limit: 1 })).toBe(false);
});

test("an object that is open on purpose stays open", () => {
  expect(schemaOf(z.looseObject({ day: z.string() }))).not.toMatchObject({ additionalProperties: false });
});

test("params are references, also all of them at once", () => {
  const made = dag(
    "d",
    { params: z.object({ window: z.object({ from: z.string() }), to: z.string() }) },
    ({ params }) => {
      use({ value: params.window.get("from") });
      use.as("all")({ value: { ...params } });
    },
  );
  const inputs = made[COMPILED_DAG].definition.tasks.map((entry) => entry.inputs.value);
  expect(inputs).toEqual([
    { kind: "param", path: ["window", "from"] },
    { kind: "object", fields: { window: { kind: "param", path: ["window"] }, to: { kind: "param", path: ["to"] } } },
  ]);
});

test.each<[string, unknown, RegExp]>([
  ["a date", z.object({ day: z.date() }), /DAG "d": params cannot be written as JSON Schema \(.*Date/],
  [
    "a transform",
    z.object({ day: z.string().transform((day) => day.length) }),
    /params cannot be written as JSON Schema \(.*[Tt]ransform/,
  ],
  ["a pipe", z.object({ n: z.string().pipe(z.coerce.number()) }), /params change their value when parsed/],
  ["a codec", z.object({ flag: z.stringbool() }), /params change their value when parsed/],
  ["no object", z.string(), /params must be an object with named fields/],
  ["a plain object", { day: "string" }, /DAG "d": params is an object\. Use a zod object/],
])("%s is a clear error", (_name, params, message) => {
  expect(() => schemaOf(params)).toThrow(message);
});
