import { afterEach, beforeEach, expect, it } from "vitest";
import { markCleaned } from "../../src/store/attempt-clean.ts";
import { deleteOldHistory } from "../../src/store/retention.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const DAY = 86_400;
const never = new AbortController().signal;

it("deletes what has ended before, with its versions and bundles, and nothing else", async () => {
  await store.save(dagOf("d", [taskOf("a")]), "old");
  const old = await store.trigger("d");
  const worked = await store.workThrough();
  await markCleaned(
    store.db,
    worked.map(({ attempt_id }) => ({ attempt_id, pod_uid: `uid-${attempt_id}` })),
    store.now(),
  );
  const open = await store.trigger("d");
  await store.save(dagOf("d", [taskOf("b")]), "unused");
  await store.save(dagOf("d", [taskOf("c")]), "current");
  store.pass(31 * DAY);
  const before = new Date(store.now().getTime() - 30 * DAY * 1000);
  expect(await deleteOldHistory(store.db, before, never)).toEqual({ runs: 1, events: 0, versions: 1, bundles: 1 });
  const { rows } = await store.db.query<{ id: number }>({ text: "select id from dag_run" });
  expect(rows).toEqual([{ id: open.id }]);
  expect(rows.map(({ id }) => id)).not.toContain(old.id);
  // The open run still has its own code.
  const [attempt] = await store.workThrough();
  expect(attempt?.bundle.hash).toBe("old");
});

it("keeps a run whose pod has not been removed yet", async () => {
  await store.save(dagOf("d", [taskOf("a")]));
  await store.trigger("d");
  await store.workThrough();
  store.pass(31 * DAY);
  expect((await deleteOldHistory(store.db, store.now(), never)).runs).toBe(0);
});
