import { afterEach, beforeEach, expect, it } from "vitest";
import { createDueRuns } from "../../src/store/due-runs.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const hourly = { kind: "cron", expression: "0 * * * *", timezone: "UTC" } as const;

it("a run made by hand under a scheduled run's id costs that run, and no other DAG's", async () => {
  await store.save(dagOf("d", [taskOf("a")], { schedule: hourly }), "one");
  await store.save(dagOf("other", [taskOf("a")], { schedule: hourly }), "two");
  const squatter = { dag_run_id: "scheduled__2026-11-21T09:00:00.000Z", logical_date: null, run_after: null };
  const how = { conf: {}, params: {}, note: null, triggered_by: "test" as const, user: null };
  await createManualRun(store.db, { dag_id: "d", ...squatter, ...how }, store.now());
  store.pass(3600);
  expect(await createDueRuns(store.db, store.now(), 10)).toMatchObject({ created: 1 });
  store.pass(3600);
  expect(await createDueRuns(store.db, store.now(), 10)).toMatchObject({ created: 2 });
});
