import { expect, test } from "vitest";
import * as z from "zod";
import type { JsonObject } from "../core/json.ts";
import { createParamsChecker } from "./trigger-params.ts";

test.for([
  ["a day that is none", { day: "soon" }, ['conf.day: must match format "date"']],
  ["a code of another form", { day: "2026-01-01", code: "x" }, ['conf.code: must match pattern "^\\d+$"']],
] as const)("%s is told once, in the fewest words", ([, conf, expected]) => {
  const params = z.object({ day: z.iso.date(), code: z.string().regex(/^\d+$/).default("1") });
  // What JSON Schema is made of is JSON.
  const params_schema = z.toJSONSchema(params, { io: "input" }) as JsonObject;
  const check = () => createParamsChecker().check({ dag_id: "d", version_id: 1, params_schema }, conf);
  expect(check).toThrow(`DAG "d" does not take this conf: ${expected.join("; ")}`);
});
