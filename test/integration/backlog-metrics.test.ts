// What Prometheus is told of what waits.

import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { observeBacklog } from "../../src/cli/backlog-metrics.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { readBacklog } from "../../src/store/read-backlog.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

it("is nothing at first, and shows each state and how long it has waited", async () => {
  const nothing = { scheduled: 0, queued: 0, running: 0, import_errors: 0, schedule_delay: 0, launch_delay: 0 };
  expect(await readBacklog(store.db, store.now())).toEqual(nothing);
  await store.save(dagOf("d", [taskOf("a"), taskOf("b")]));
  await store.trigger("d");
  await store.settle();
  store.pass(30);
  expect(await readBacklog(store.db, store.now())).toEqual({ ...nothing, queued: 2, launch_delay: 30 });
  const [first] = await store.launch();
  await store.start(first?.attempt_id ?? "");
  expect(await readBacklog(store.db, store.now())).toEqual({ ...nothing, queued: 1, running: 1 });
  await store.db.query({
    text: "update dag set next_run_after = $1",
    values: [new Date(store.now().getTime() - 7_000)],
  });
  expect((await readBacklog(store.db, store.now())).schedule_delay).toBe(7);
  await store.db.query({ text: "update dag set is_paused = true" });
  expect((await readBacklog(store.db, store.now())).schedule_delay).toBe(0);
});

it("is asked once for each scrape, and absent while the database is away", async () => {
  const registry = new Registry();
  let asked = 0;
  let away = false;
  const read = () => {
    asked += 1;
    return away ? Promise.reject(new Error("away")) : readBacklog(store.db, store.now());
  };
  observeBacklog(registry, read, createLogger("silent"));
  const there = await registry.metrics();
  expect(asked).toBe(1);
  expect(there).toContain('windlass_task_instances{state="queued"} 0');
  expect(there).toContain("windlass_schedule_delay_seconds 0");
  away = true;
  const gone = await registry.metrics();
  expect(asked).toBe(2);
  expect(gone).not.toMatch(/^windlass_/m);
});
