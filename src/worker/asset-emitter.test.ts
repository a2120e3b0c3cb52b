import { expect, test } from "vitest";
import { startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker } from "../../test/support/worker.ts";
import type { ConsumedEvent } from "../core/asset-events.ts";
import type { JsonObject } from "../core/json.ts";
import { asset } from "../sdk/asset.ts";
import { createAssetEmitter } from "./asset-emitter.ts";

const task = { outlets: [{ name: "orders", uri: "orders" }] };
const orders = asset("orders");

test("events keep the data of the moment when they were emitted", () => {
  const { assets, emitted } = createAssetEmitter(task);
  const extra = { rows: 3 };
  assets.emit(orders, extra);
  extra.rows = 4;
  assets.emit(orders);
  expect(emitted).toEqual([
    { asset: "orders", extra: { rows: 3 } },
    { asset: "orders", extra: {} },
  ]);
});

test.for<[string, unknown, string]>([
  ["what JSON cannot hold", { at: new Date(0) }, "extra.at is a Date"],
  ["a list", [1], "is not an object"],
  ["what Postgres cannot hold", { a: "\0" }, "NUL"],
  ["too much", { a: "x".repeat(256 * 1024) }, "more than 1000 events or 262144 bytes"],
])("%s is refused where it is emitted", ([, extra, message]) => {
  const { assets, emitted } = createAssetEmitter(task);
  expect(() => assets.emit(orders, extra as JsonObject)).toThrow(message);
  expect(emitted).toEqual([]);
});

test("so are too many events, and what is not an outlet", () => {
  const { assets, emitted } = createAssetEmitter(task);
  for (let count = 0; count < 1_000; count += 1) assets.emit(orders);
  expect(() => assets.emit(orders)).toThrow("more than 1000 events");
  expect(emitted).toHaveLength(1_000);
  expect(() => assets.emit(asset("rates"))).toThrow("not one of its outlets: its outlets are orders");
  expect(() => createAssetEmitter({}).assets.emit(orders)).toThrow("it has none");
});

test("a worker gives the task the events of its run, and reports what it emitted with its success", async () => {
  await using worker = await bundleWorker();
  await using server = await startExecutionServer();
  const source = { source_dag_id: null, source_run_id: null, source_task_id: null, source_map_index: null };
  const event: ConsumedEvent = {
    asset: "rates",
    uri: "rates",
    extra: {},
    timestamp: "2026-01-31T00:00:00Z",
    ...source,
  };
  const attempt = server.serve({
    run: `module.exports = { default: { [Symbol.for("windlass.dag")]: {
      definition: { dag_id: "d", tasks: [{ task_id: "t", outlets: [{ name: "orders", uri: "orders" }] }] },
      functions: { t: (inputs, runtime) => {
        runtime.assets.emit({ name: "orders" }, { rows: 3 });
        return runtime.asset_events;
      } } } } };`,
    assetEvents: [event],
  });
  await startWorker(worker.file, server, attempt, []).ended;
  expect(server.faults).toEqual([]);
  expect(attempt.finishes).toEqual([
    { state: "success", result: [event], asset_events: [{ asset: "orders", extra: { rows: 3 } }] },
  ]);
});
