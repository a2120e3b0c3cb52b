import { expect, test } from "vitest";
import { z } from "zod";
import { COMPILED_DAG, type CompiledFunction, NO_RETRY, type TaskRuntime } from "./compiled.ts";
import { dag } from "./dag.ts";
import { task } from "./task.ts";

// The functions under test do not look at it.
const runtime = {} as TaskRuntime;

const load = task(
  "load",
  { input: z.object({ day: z.iso.date(), limit: z.int().default(3) }), output: z.object({ rows: z.int().max(10) }) },
  async ({ limit }) => ({ rows: limit }),
);
const built = dag("etl", {}, () => void load({ day: "2026-01-31", limit: 1 }));
const run: CompiledFunction = (inputs) => built[COMPILED_DAG].functions["load"]?.(inputs, runtime);

test("what fits reaches the function as the schema makes it", async () => {
  expect(await run({ day: "2026-01-31" }, runtime)).toEqual({ rows: 3 });
});

test("inputs that do not fit name the field and are not retried", async () => {
  const failed = run({ day: "yesterday" }, runtime);
  await expect(failed).rejects.toThrow(/^its inputs do not fit the schema: day: /);
  await expect(failed).rejects.toSatisfy((error: object) => NO_RETRY in error);
});

test("a result that does not fit fails the try", async () => {
  const failed = run({ day: "2026-01-31", limit: 11 }, runtime);
  await expect(failed).rejects.toThrow(/^what it returned does not fit the schema: rows: /);
  await expect(failed).rejects.toSatisfy((error: object) => !(NO_RETRY in error));
});

test("what is no schema is refused at the author's line", () => {
  // @ts-expect-error -- a word in place of a schema
  expect(() => task("x", { input: "string" }, () => 1)).toThrow('task "x": input is "string"');
});
