// windlass/testing: what tests say of a DAG and its tasks is checked by their types.

import { approval, branch, dag, kubernetesPod, sensor, task } from "windlass";
import { evict, fail, runDag, stub, takes, timeOut } from "windlass/testing";
import { z } from "zod";

const extract = task("extract", async ({ day }: { day: string }) => ({ day, rows: [1, 2] }));
const load = task("load", ({ rows }: { rows: number[] }) => rows.length);
const image = kubernetesPod<{ total: number }>("image", { image: "busybox" });
const pick = branch("pick", () => "a");
const there = sensor("there", () => ({ done: true, value: 3 }));
const ask = approval("ask");
const sales = dag("sales", { params: z.object({ day: z.iso.date(), limit: z.int().default(3) }) }, ({ params }) => {
  load({ rows: extract({ day: params.day }).get("rows") });
});

export const accepted = async () => {
  const run = await runDag(sales, {
    params: { day: "2026-01-31" },
    at: "2026-01-01T00:00:00Z",
    variables: { bucket: "x" },
    connections: { warehouse: { host: "db", port: 5432 } },
    answers: { ask: "approve" },
    events: { order: { id: 1 } },
    callbacks: async ({ event, task_id, try_number, state }, call) => {
      if (event === "failure" && task_id === null) await call();
      return [try_number, state];
    },
    with: [
      stub(extract, { day: "x", rows: [] }),
      stub(load, ({ rows }) => rows.length),
      stub(extract, async ({ day }, { try_number }) => ({ day, rows: [try_number] })),
      stub("load", 3),
      stub(image, { total: 3 }),
      stub(there, 3),
      stub(ask, { option: "approve", user: null, note: null }),
      fail(load),
      fail("load", [1, 2], { error: new TypeError("x"), mapIndex: 3 }),
      fail(pick),
      timeOut(load, 2),
      evict(image, 1, { fault: "node_lost" }),
      takes(load, "5m"),
    ],
  });
  const rows: number[] | undefined = run.task(extract).result?.rows;
  const inputs: { rows: number[] } | null = run.task(load, 0).inputs;
  const told: { event: string; called_at: number; error: string | null }[] = run.callbacks;
  return [told, rows, inputs, run.instances(load).map(({ result }) => result?.toFixed()), run.states["load"]];
};

export const refused = async () => {
  // @ts-expect-error a param that the DAG does not have
  await runDag(sales, { params: { date: "2026-01-31" } });
  // @ts-expect-error a param of another type
  await runDag(sales, { params: { limit: "3" } });
  // @ts-expect-error a task in the place of a DAG
  await runDag(extract);
  // @ts-expect-error a field that connections do not have
  await runDag(sales, { connections: { warehouse: { hots: "db" } } });
  // @ts-expect-error a fact that callbacks are not told
  await runDag(sales, { callbacks: ({ taskId }) => taskId });
  // @ts-expect-error a task in the place of an arrangement
  await runDag(sales, { with: [load] });
  // @ts-expect-error a result of another type
  stub(load, "3");
  // @ts-expect-error a result that lacks a field
  stub(extract, { day: "x" });
  // @ts-expect-error a function of inputs that the task does not take
  stub(load, ({ row }) => row);
  // @ts-expect-error a function with another result
  stub(load, ({ rows }) => rows);
  // @ts-expect-error a result that the image does not have
  stub(image, { totals: 3 });
  // @ts-expect-error an answer that nobody can give
  stub(ask, { option: "maybe", user: null, note: null });
  // @ts-expect-error text in the place of an error
  fail(load, 1, { error: "broken" });
  // @ts-expect-error a fault that clusters do not have
  evict(load, 1, { fault: "bored" });
  // @ts-expect-error no duration
  takes(load, "5 minutes");
  const run = await runDag(sales);
  // @ts-expect-error a field that the result does not have
  void run.task(extract).result?.row;
  // @ts-expect-error the result may be missing
  run.task(load).result.toFixed();
};
