import { dag, empty, task, type TaskOptions } from "windlass";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dagDefinition } from "../contract/definition.ts";
import { COMPILED_DAG, type CompiledDag } from "./compiled.ts";

const definitionOf = (built: { [COMPILED_DAG]: CompiledDag }) => dagDefinition.parse(built[COMPILED_DAG].definition);

const taskWith = (options: TaskOptions, defaults: TaskOptions = {}) => {
  const load = task("load", options, ({ who }: { who?: string }) => who);
  const [definition] = definitionOf(dag("d", { defaults }, () => void load({ who: "x" }))).tasks;
  return definition;
};

describe("what a task's options become", () => {
  const cases: [TaskOptions, object][] = [
    [
      { pool: "db", poolSlots: 2 },
      { pool: "db", pool_slots: 2 },
    ],
    [
      { priorityWeight: -5, weightRule: "upstream" },
      { priority_weight: -5, weight_rule: "upstream" },
    ],
    [
      { maxActive: 3, maxActivePerRun: 2 },
      { max_active: 3, max_active_per_run: 2 },
    ],
    [{ concurrency: { key: "who", limit: 1 } }, { concurrency: { path: ["who"], limit: 1 } }],
    [{ retryBackoff: true }, { retry_backoff: { factor: 2 } }],
    [{ retryBackoff: { factor: 1.5, max: "1h" } }, { retry_backoff: { factor: 1.5, max: 3600 } }],
    [
      { retryOn: ["HttpError"], noRetryOn: ["TypeError"] },
      { retry_on: ["HttpError"], no_retry_on: ["TypeError"] },
    ],
    [
      { dependsOnPast: true, waitForDownstream: true },
      { depends_on_past: true, wait_for_downstream: true },
    ],
  ];
  it.each(cases)("%j", (options, expected) => {
    expect(taskWith(options)).toMatchObject(expected);
  });

  it("writes nothing of a default", () => {
    const said = { pool: "default_pool", poolSlots: 1, priorityWeight: 1, weightRule: "downstream" } as const;
    const plain = taskWith({});
    expect(taskWith({ ...said, dependsOnPast: false, waitForDownstream: false, retryBackoff: false })).toEqual(plain);
    expect(plain).not.toHaveProperty("pool");
  });

  it("sets the task's own over the DAG's defaults, and the default over them", () => {
    const defaults = { pool: "db", retryBackoff: true, maxActive: 4 };
    expect(taskWith({ maxActive: 1 }, defaults)).toMatchObject({
      pool: "db",
      max_active: 1,
      retry_backoff: { factor: 2 },
    });
    const plain = taskWith({ pool: "default_pool", retryBackoff: false }, defaults);
    expect(plain).not.toHaveProperty("pool");
    expect(plain).not.toHaveProperty("retry_backoff");
  });

  it("leaves empty tasks alone, which take no slot", () => {
    const built = dag("d", { defaults: { pool: "db", dependsOnPast: true } }, () => void empty("gate")());
    expect(definitionOf(built).tasks[0]).not.toHaveProperty("pool");
  });
});

describe("what a DAG's options become", () => {
  it("is a limit, and a key of its params", () => {
    const built = dag(
      "d",
      {
        params: z.object({ customer: z.string() }),
        maxActiveTasksPerDag: 5,
        concurrency: { key: ({ params, run }) => [params.customer, run.run_type], limit: 1 },
      },
      () => void task("a", () => 1)(),
    );
    expect(definitionOf(built)).toMatchObject({
      max_active_tasks_per_dag: 5,
      concurrency: {
        key: {
          kind: "array",
          items: [
            { kind: "param", path: ["customer"] },
            { kind: "run", field: "run_type" },
          ],
        },
        limit: 1,
      },
    });
  });
});

describe("what is refused, at the author's line", () => {
  // The casts play an author whose editor does not check types.
  const options: [string, unknown, RegExp][] = [
    ["pool", { pool: "a b" }, /task "load": pool is "a b"/],
    ["poolSlots", { poolSlots: 0 }, /poolSlots is 0\. Use a whole number from 1 on/],
    ["priorityWeight", { priorityWeight: 1.5 }, /priorityWeight is 1\.5/],
    ["weightRule", { weightRule: "down" }, /weightRule is "down"\. Use one of downstream, upstream, absolute/],
    ["maxActive", { maxActive: "2" }, /maxActive is "2"/],
    ["maxActivePerRun", { maxActivePerRun: -1 }, /maxActivePerRun is -1/],
    ["concurrency", { concurrency: "who" }, /concurrency is "who"\. Use an object such as \{ key/],
    ["its key", { concurrency: { key: "a..b", limit: 1 } }, /concurrency\.key is "a\.\.b"/],
    ["its limit", { concurrency: { key: "who", limit: 0 } }, /concurrency\.limit is 0/],
    ["its input", { concurrency: { key: "whom.id", limit: 1 } }, /is input "whom", but the inputs are who\. Name one/],
    ["retryBackoff", { retryBackoff: 2 }, /retryBackoff is 2\. Use true, or an object/],
    ["its factor", { retryBackoff: { factor: 0.5 } }, /retryBackoff\.factor is 0\.5\. Use a number from 1 to 100/],
    ["its max", { retryBackoff: { max: "2d" } }, /retryBackoff\.max is longer than a day/],
    ["retryOn", { retryOn: "TypeError" }, /retryOn is "TypeError"\. Use a list of error names/],
    ["noRetryOn", { noRetryOn: [TypeError] }, /noRetryOn is/],
    ["dependsOnPast", { dependsOnPast: "yes" }, /dependsOnPast is "yes"\. Use true or false/],
    ["waitForDownstream", { waitForDownstream: 1 }, /waitForDownstream is 1/],
  ];
  it.each(options)("%s", (_, given, message) => {
    const error = thrownBy(() => taskWith(given as TaskOptions));
    expect(error.message).toMatch(message);
    expect(firstFrame(error)).toContain("limits.test.ts");
  });

  const limits: [string, unknown, RegExp][] = [
    ["concurrency in defaults", { defaults: { concurrency: {} } }, /defaults: the option concurrency is unknown/],
    ["a limit", { maxActiveTasksPerDag: 0 }, /DAG "d": maxActiveTasksPerDag is 0/],
    ["no key", { concurrency: { limit: 1 } }, /concurrency is an object\. Use \{ key: \(\{ params \}\) => /],
    ["a key for all", { concurrency: { key: () => "x", limit: 1 } }, /concurrency\.key is the same for all runs/],
    ["a limit of keys", { concurrency: { key: runId, limit: 0.5 } }, /concurrency\.limit is 0\.5/],
  ];
  it.each(limits)("%s", (_, given, message) => {
    const error = thrownBy(() => dag("d", given as object, () => void task("a", () => 1)()));
    expect(error.message).toMatch(message);
    expect(firstFrame(error)).toContain("limits.test.ts");
  });
});

const runId = ({ run }: { run: { run_id: unknown } }) => run.run_id;

function thrownBy(body: () => unknown): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

function firstFrame(error: Error): string {
  return error.stack?.split("\n").find((row) => row.startsWith("    at ")) ?? "";
}
