// The examples: each passes lint, and those that need no cluster give these results; containers are stubbed.

import { join } from "node:path";
import { expect, test } from "vitest";
import { runDag, type RunDagOptions, stub, timeOut } from "windlass/testing";
import { consumer, count, producer, write } from "../examples/asset_chain.ts";
import fanOut from "../examples/fan_out.ts";
import kubernetes101 from "../examples/kubernetes_101.ts";
import kubernetesExecutor from "../examples/kubernetes_executor.ts";
import { plain, scaled } from "../examples/kubernetes_pipeline.ts";
import kubernetesSample from "../examples/kubernetes_sample.ts";
import mappedInvoices from "../examples/mapped_invoices.ts";
import waitAndApprove from "../examples/wait_and_approve.ts";
import { bundleFile } from "../src/dags/bundle.ts";
import { loadBundle } from "../src/dags/load-bundle.ts";
import { systemClock } from "../src/lifecycle/clock.ts";
import { lintFiles } from "../src/lint/lint-files.ts";
import { COMPILED_DAG } from "../src/sdk/compiled.ts";
import type { Dag } from "../src/sdk/dag.ts";

const EXAMPLES = join(import.meta.dirname, "..", "examples");

/** A file that imports data, which only the bundler can read. */
async function loadExample(file: string): Promise<Dag> {
  const [compiled] = loadBundle((await bundleFile(EXAMPLES, file)).code);
  if (!compiled) throw new Error(`${file} exports no DAG`);
  return { id: compiled.definition.dag_id, [COMPILED_DAG]: compiled };
}

test("all of them pass lint", async () => {
  const { findings, dags } = await lintFiles([EXAMPLES], { types: true }, systemClock);
  expect(findings).toEqual([]);
  expect(dags).toEqual([
    "asset_consumer",
    "asset_producer",
    "fan_out",
    "kubernetes_101",
    "kubernetes_executor",
    "kubernetes_pipeline",
    "kubernetes_pipeline_scaled",
    "kubernetes_pipeline_files",
    "kubernetes_sample",
    "mapped_invoices",
    "penguins",
    "wait_and_approve",
  ]);
}, 60_000);

test("penguins: the statistics are those that are published of the data", async () => {
  const run = await runDag(await loadExample("penguins.ts"));
  expect(run.state).toBe("success");
  expect(Object.keys(run.states)).toEqual([
    "read",
    "describe_adelie",
    "describe_chinstrap",
    "describe_gentoo",
    "fit_mass",
    "classify",
    "report",
  ]);
  expect(run.task("read").result).toMatchObject({ incomplete: 2 });
  expect(run.task("describe_adelie").result).toMatchObject({
    count: 151,
    mass: { mean: 3700.7, deviation: 458.6 },
    bill: { mean: 38.8 },
  });
  expect(run.task("describe_chinstrap").result).toMatchObject({
    count: 68,
    mass: { mean: 3733.1 },
    islands: ["Dream"],
  });
  expect(run.task("describe_gentoo").result).toMatchObject({
    count: 123,
    mass: { mean: 5076 },
    flipper: { mean: 217.2 },
  });
  expect(run.task("fit_mass").result).toEqual({ slope: 49.7, intercept: -5780.8, correlation: 0.871 });
  expect(run.task("report").result).toMatchObject({
    heaviest: "Gentoo",
    text: expect.stringContaining("| Gentoo | 123 |"),
  });
  // Guessing the commonest species would be right for 44 %.
  expect(run.task("classify").result).toEqual({ right: 326, of: 342, accuracy: 95.3 });
});

test("kubernetes_sample: two images side by side, after a task that does nothing", () => {
  const { definition } = kubernetesSample[COMPILED_DAG];
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

test("kubernetes_executor: one task before three, whose pods differ", () => {
  const { definition } = kubernetesExecutor[COMPILED_DAG];
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
  const { definition } = plain[COMPILED_DAG];
  expect(definition.tasks.map(({ task_id, kind, upstream }) => [task_id, kind, upstream])).toEqual([
    ["extract", "pod", []],
    ["print", "function", ["extract"]],
  ]);
  expect(definition.schedule).toMatchObject({ expression: "0 0 * * *" });
  const run = await runDag(scaled, { with: [1, 2, 3, 4].map((part) => stub(`part_${part}`, { rows: part })) });
  expect(run.task("add").result).toBe(10);
});

test("fan_out: four tasks side by side, one retry, the right sum", async () => {
  const run = await runDag(fanOut, { params: { limit: 100 } });
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
  expect(run.task("check").result).toEqual({ limit: 100, total: 338_350 });
  expect(run.seconds).toBe(1);
});

test("kubernetes_101: the branch chooses a container, and the join takes what there is", async () => {
  const loads = [stub("load_in_bulk", { loaded: 5_000 }), stub("load_one_by_one", { loaded: 3 })];
  const big = await runDag(kubernetes101, { params: { rows: 5_000 }, with: loads });
  expect(big.states).toEqual({
    load_in_bulk: "success",
    load_one_by_one: "skipped",
    size: "success",
    join: "success",
  });
  expect(big.task("load_in_bulk").inputs).toEqual({ env: { ROWS: 5_000 } });
  expect(big.task("join").result).toBe(5_000);
  expect((await runDag(kubernetes101, { with: loads })).task("join").result).toBe(3);
  const container = kubernetes101[COMPILED_DAG].definition.tasks[0]?.pod;
  expect(container).toMatchObject({ spec: { containers: [{ name: "base", imagePullPolicy: "Always" }] } });
});

test("mapped_invoices: each customer has an instance of each task, and one without customers has none", async () => {
  const run = await runDag(mappedInvoices, { params: { customers: 3 } });
  expect(run.instances("invoice.send").map(({ rendered_map_index, result }) => [rendered_map_index, result])).toEqual([
    ["customer-1", 11],
    ["customer-2", 12],
    ["customer-3", 13],
  ]);
  expect(run.task("report").result).toEqual({ invoices: 3, total: 36, tax: 9 });
  const none = await runDag(mappedInvoices, { params: { customers: 0 } });
  expect(none.states).toMatchObject({ invoice: "skipped", "invoice.send": "skipped", report: "skipped" });
});

test("wait_and_approve: what was set up is taken down, whatever becomes of the work", async () => {
  const given: RunDagOptions = {
    with: [stub("published", { length: 3 }), stub("make_folder", "/tmp/x"), stub("remove_folder", null)],
    callbacks: () => {},
  };
  const run = await runDag(waitAndApprove, { ...given, answers: { ask: "approve" } });
  expect(run.state).toBe("success");
  expect(run.task("publish").inputs).toEqual({ folder: "/tmp/x", length: 3 });
  expect(run.seconds).toBe(600);
  expect(run.callbacks).toEqual([]);
  const broken = await runDag(waitAndApprove, {
    ...given,
    answers: { ask: "approve" },
    with: [...(given.with ?? []), stub("publish", () => Promise.reject(new Error("no network")))],
  });
  expect(broken.states).toMatchObject({ publish: "failed", remove_folder: "success", settle: "upstream_failed" });
  expect(broken.callbacks).toMatchObject([{ event: "failure", reason: "failed because of settle" }]);
  const unasked = await runDag(waitAndApprove, given);
  expect(unasked.states).toMatchObject({ ask: "skipped", make_folder: "skipped", publish: "skipped" });
  expect(unasked.seconds).toBe(86_400);
  expect(unasked.callbacks).toMatchObject([{ event: "deadline", run_state: "running", called_at: 43_200 }]);
});

test("wait_and_approve: the sensor gives up after six hours", async () => {
  const run = await runDag(waitAndApprove, {
    answers: { ask: "approve" },
    with: [timeOut("published")],
    callbacks: () => {},
  });
  expect(run.task("published")).toMatchObject({
    state: "failed",
    attempts: [{ outcome: "timed_out", ended_at: 21_600 }],
  });
});

test("asset_chain: what one run emits is what the next one reads", async () => {
  const written = await runDag(producer, { at: "2026-01-01T06:00:00Z" });
  const { events } = written.task(write);
  expect(events).toEqual([{ asset: "example://orders", extra: { rows: 7 } }]);
  const counted = await runDag(consumer, { assetEvents: [...events, ...events] });
  expect(counted.task(count).result).toEqual({ events: 2, rows: 14 });
});
