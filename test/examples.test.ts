// The examples, bundled as the scheduler would and run in this process: they must give these results.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../src/core/json.ts";
import { bundleFile } from "../src/dags/bundle.ts";
import { checkDefinitions } from "../src/dags/check-definition.ts";
import { loadBundle } from "../src/dags/load-bundle.ts";
import { runInProcess } from "../src/dags/run-in-process.ts";
import { systemClock } from "../src/lifecycle/clock.ts";
import { createAssetEmitter } from "../src/worker/asset-emitter.ts";
import { createArtifacts } from "../src/worker/artifacts.ts";
import { createFolderArtifacts } from "../src/worker/folder-artifacts.ts";

const EXAMPLES = join(import.meta.dirname, "..", "examples");

async function runExample(file: string, params: JsonObject) {
  const { code } = await bundleFile(EXAMPLES, file);
  const [dag] = loadBundle(code);
  if (!dag) throw new Error(`${file} exports no DAG`);
  expect(checkDefinitions([dag.definition]).errors).toEqual([]);
  const results = new Map<string, Json>();
  const run = await runInProcess(
    dag,
    params,
    async (task, inputs, runtime) => {
      const { signal } = new AbortController();
      const artifacts = createArtifacts(createFolderArtifacts(tmpdir()));
      try {
        const value: unknown = await dag.functions[task.task_id]?.(inputs, {
          ...runtime,
          variables: {},
          connections: {},
          artifacts,
          assets: createAssetEmitter(task).assets,
          asset_events: [],
          signal,
        });
        const result = JSON.parse(JSON.stringify(value ?? null)) as Json;
        results.set(task.task_id, result);
        return { outcome: { kind: "success", reason: "done", exit_code: 0, error: null }, result };
      } catch (error) {
        return { outcome: { kind: "task_failed", reason: String(error), exit_code: null, error: null }, result: null };
      }
    },
    systemClock,
  );
  return { definition: dag.definition, run, results };
}

test("penguins: the statistics are those that are published of the data", async () => {
  const { definition, run, results } = await runExample("penguins.ts", {});
  expect(run.state).toBe("success");
  expect(definition.tasks.map((task) => task.task_id)).toEqual([
    "read",
    "describe_adelie",
    "describe_chinstrap",
    "describe_gentoo",
    "fit_mass",
    "classify",
    "report",
  ]);
  expect(results.get("read")).toMatchObject({ incomplete: 2 });
  expect(results.get("describe_adelie")).toMatchObject({
    count: 151,
    mass: { mean: 3700.7, deviation: 458.6 },
    bill: { mean: 38.8 },
  });
  expect(results.get("describe_chinstrap")).toMatchObject({ count: 68, mass: { mean: 3733.1 }, islands: ["Dream"] });
  expect(results.get("describe_gentoo")).toMatchObject({ count: 123, mass: { mean: 5076 }, flipper: { mean: 217.2 } });
  expect(results.get("fit_mass")).toEqual({ slope: 49.7, intercept: -5780.8, correlation: 0.871 });
  expect(results.get("report")).toMatchObject({
    heaviest: "Gentoo",
    text: expect.stringContaining("| Gentoo | 123 |"),
  });
  // Guessing the commonest species would be right for 44 %.
  expect(results.get("classify")).toEqual({ right: 326, of: 342, accuracy: 95.3 });
});

test("kubernetes_sample: two images side by side, after a task that does nothing", async () => {
  const { definition } = await runExample("kubernetes_sample.ts", {});
  const found = definition.tasks.map(({ task_id, kind, upstream, retries, retry_delay, container, pod }) => ({
    task_id,
    kind,
    upstream,
    ...(kind === "pod" ? { retries, retry_delay, image: container?.image, pod } : {}),
  }));
  const both = {
    kind: "pod",
    upstream: ["run_this_first"],
    retries: 1,
    retry_delay: 300,
    pod: { metadata: { labels: { foo: "bar" } } },
  };
  expect(found).toEqual([
    { task_id: "run_this_first", kind: "empty", upstream: [] },
    { task_id: "passing-task", ...both, image: "python:3.12-slim" },
    { task_id: "failing-task", ...both, image: "ubuntu:24.04" },
  ]);
  expect(definition.schedule).toMatchObject({ expression: "*/10 * * * *" });
});

test("kubernetes_executor: one task before three, whose pods differ", async () => {
  const { definition } = await runExample("kubernetes_executor.ts", {});
  expect(definition.tasks.map(({ task_id, upstream }) => [task_id, upstream])).toEqual([
    ["start_task", []],
    ["one_task", ["start_task"]],
    ["two_task", ["start_task"]],
    ["three_task", ["start_task"]],
  ]);
  expect(definition.tasks[3]?.pod).toMatchObject({
    spec: { tolerations: [{ key: "dedicated", operator: "Equal", value: "airflow" }] },
  });
});

test("kubernetes_pipeline: a container, and a task that prints what it has made", async () => {
  const { definition } = await runExample("kubernetes_pipeline.ts", {});
  expect(definition.tasks.map(({ task_id, kind, upstream }) => [task_id, kind, upstream])).toEqual([
    ["extract", "pod", []],
    ["print", "function", ["extract"]],
  ]);
  expect(definition.schedule).toMatchObject({ expression: "0 0 * * *" });
});

test("fan_out: four tasks side by side, one retry, the right sum", async () => {
  const { definition, run, results } = await runExample("fan_out.ts", { limit: 100 });
  expect(run.state).toBe("success");
  expect(run.tasks.map(({ task_id, try_number }) => [task_id, try_number])).toEqual([
    ["split", 1],
    ["square_0", 1],
    ["square_1", 1],
    ["square_2", 1],
    ["square_3", 1],
    ["add", 2],
    ["check", 1],
  ]);
  expect(results.get("check")).toEqual({ limit: 100, total: 338_350 });
  expect(definition.tasks.find((task) => task.task_id === "add")?.upstream).toEqual([
    "square_0",
    "square_1",
    "square_2",
    "square_3",
  ]);
});
