import { dag, empty, failWithoutRetry, skip, task } from "windlass";
import { expect, test } from "vitest";
import { z } from "zod";
import { dagDefinition } from "../contract/definition.ts";
import type { DagDefinition, TaskDefinition } from "../core/definition.ts";
import { COMPILED_DAG, NO_RETRY, SKIP } from "./compiled.ts";
import type { Dag } from "./dag.ts";

/** The definition as the evaluator gets it: through JSON, and parsed by the contract. */
function definitionOf(made: Dag): DagDefinition {
  return dagDefinition.parse(JSON.parse(JSON.stringify(made[COMPILED_DAG].definition)));
}

function taskOf(made: Dag, id: string): TaskDefinition {
  const found = definitionOf(made).tasks.find((entry) => entry.task_id === id);
  if (!found) throw new Error(`no task ${id}`);
  return found;
}

const one = () => task("one", ({ n = 0 }: { n?: number }) => ({ n, list: [n], pair: ["a", n] as [string, number] }));
const text = () => task("text", ({ value }: { value: unknown }) => String(value));

test("a DAG with nothing set has the documented defaults", () => {
  const made = dag("plain", {}, () => one()());
  expect(definitionOf(made)).toEqual({
    dag_id: "plain",
    description: null,
    tags: [],
    schedule: null,
    start_date: null,
    end_date: null,
    catchup: false,
    max_active_runs: 16,
    max_active_tasks: 16,
    params_schema: null,
    is_paused_upon_creation: false,
    tasks: [
      {
        task_id: "one",
        kind: "function",
        upstream: [],
        trigger_rule: "all_success",
        inputs: {},
        retries: 0,
        retry_delay: 300,
        execution_timeout: null,
        pod: null,
        container: null,
        description: null,
      },
    ],
  });
});

test("every option reaches the definition", () => {
  const made = dag(
    "full",
    {
      schedule: "@daily",
      timezone: "Europe/Paris",
      start: "2026-07-01",
      end: new Date("2026-12-31T00:00:00Z"),
      catchup: true,
      maxActiveRuns: 2,
      maxActiveTasks: 3,
      tags: ["a", "b"],
      description: "All of it",
      paused: true,
      defaults: {
        retries: 2,
        retryDelay: "1m",
        executionTimeout: "1h",
        pod: { image: "base:1", env: { A: "1", B: "2" } },
      },
    },
    () => {
      task("default", () => 1)();
      task(
        "own",
        {
          retries: 0,
          retryDelay: "250ms",
          executionTimeout: null,
          pod: { env: { B: "3" } },
          triggerRule: "one_done",
          description: "x",
        },
        () => 1,
      )();
      empty("nothing", { triggerRule: "always" })();
    },
  );
  const definition = definitionOf(made);
  expect(definition).toMatchObject({
    schedule: { kind: "cron", expression: "0 0 * * *", timezone: "Europe/Paris" },
    start_date: "2026-06-30T22:00:00Z",
    end_date: "2026-12-31T00:00:00.000Z",
    catchup: true,
    max_active_runs: 2,
    max_active_tasks: 3,
    tags: ["a", "b"],
    description: "All of it",
    is_paused_upon_creation: true,
  });
  const base = (env: { [name: string]: string }) => ({
    spec: {
      containers: [
        { name: "base", image: "base:1", env: Object.entries(env).map(([name, value]) => ({ name, value })) },
      ],
    },
  });
  expect(taskOf(made, "default")).toMatchObject({
    retries: 2,
    retry_delay: 60,
    execution_timeout: 3600,
    pod: base({ A: "1", B: "2" }),
  });
  expect(taskOf(made, "own")).toMatchObject({
    retries: 0,
    retry_delay: 0.25,
    execution_timeout: null,
    pod: base({ A: "1", B: "3" }),
    trigger_rule: "one_done",
    description: "x",
  });
  expect(taskOf(made, "nothing")).toMatchObject({
    kind: "empty",
    retries: 0,
    execution_timeout: null,
    pod: null,
    trigger_rule: "always",
  });
});

test("inputs become expressions, and data edges become upstream tasks without repeats", () => {
  const made = dag("edges", { params: z.object({ day: z.iso.date() }) }, ({ params, run }) => {
    const first = one()({ n: 1 });
    const second = one().as("second")({ n: first.get("pair").get(1) });
    text()({
      value: {
        first,
        again: [first.get("list"), 2, second.get("n")],
        day: params.day,
        run: run.run_id,
        fixed: { a: [1] },
      },
    });
  });
  expect(taskOf(made, "one").inputs).toEqual({ n: { kind: "value", value: 1 } });
  expect(taskOf(made, "second")).toMatchObject({
    upstream: ["one"],
    inputs: { n: { kind: "result", task_id: "one", path: ["pair", "1"] } },
  });
  expect(taskOf(made, "text")).toMatchObject({
    upstream: ["one", "second"],
    inputs: {
      value: {
        kind: "object",
        fields: {
          first: { kind: "result", task_id: "one", path: [] },
          again: {
            kind: "array",
            items: [
              { kind: "result", task_id: "one", path: ["list"] },
              { kind: "value", value: 2 },
              { kind: "result", task_id: "second", path: ["n"] },
            ],
          },
          day: { kind: "param", path: ["day"] },
          run: { kind: "run", field: "run_id" },
          fixed: { kind: "value", value: { a: [1] } },
        },
      },
    },
  });
});

test("before and after order tasks without data", () => {
  const made = dag("order", {}, () => {
    const start = empty("start")();
    const end = empty("end")();
    const left = one()();
    const right = one().as("right")();
    start.before(left, right);
    end.after(left, right, left);
  });
  expect(taskOf(made, "one").upstream).toEqual(["start"]);
  expect(taskOf(made, "right").upstream).toEqual(["start"]);
  expect(taskOf(made, "end").upstream).toEqual(["one", "right"]);
});

test("the functions are there to be run, under the id of their node", async () => {
  const made = dag("functions", {}, () => {
    const double = task("double", async ({ n }: { n: number }) => n * 2);
    double.as("again")({ n: double({ n: 1 }) });
    empty("nothing")();
  });
  const { functions } = made[COMPILED_DAG];
  expect(Object.keys(functions)).toEqual(["double", "again"]);
  await expect(functions.again?.({ n: 21 }, {} as never)).resolves.toBe(42);
});

test("the errors for a task's end carry their marks and start at the author's line", () => {
  const stop = failWithoutRetry("no such customer", { cause: 1 });
  expect(stop).toMatchObject({ message: "no such customer", cause: 1, [NO_RETRY]: true });
  expect(skip("nothing to do")).toMatchObject({ message: "nothing to do", [SKIP]: true });
  expect(stop.stack?.split("\n")[1]).toContain("dag.test.ts");
  expect(Symbol.for("windlass.no_retry")).toBe(NO_RETRY);
  expect(Symbol.for("windlass.skip")).toBe(SKIP);
});

test("a DAG of 5,000 tasks with 5,000 edges into one is built in time proportional to it", () => {
  const build = (count: number) => {
    const began = performance.now();
    dag("large", {}, () => {
      const made = Array.from({ length: count }, (_, index) => one().as(`t${index}`)({ n: index }));
      text()({ value: made });
      empty("end")().after(...made);
    });
    return performance.now() - began;
  };
  build(500);
  // Twenty times the work; a quadratic step would make it 400 times. Generous, for a loaded machine.
  expect(build(5000)).toBeLessThan(Math.max(1, build(250)) * 100);
});
