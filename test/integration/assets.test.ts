import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AssetCondition, DagDefinition, Expression } from "../../src/core/definition.ts";
import { recordAssetEvents } from "../../src/store/asset-events.ts";
import { createAssetRuns } from "../../src/store/asset-runs.ts";
import { finishAttempt } from "../../src/store/attempt-finish.ts";
import { createDueRuns } from "../../src/store/due-runs.ts";
import { setDagPaused } from "../../src/store/pause-dag.ts";
import { dagOf, openStoreBundle, outcomeOf, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const assetOf = (name: string) => ({ name, uri: `s3://bucket/${name}` });
const on = (name: string): AssetCondition => ({ kind: "asset", asset: assetOf(name) });
const all = (...names: string[]): AssetCondition => ({ kind: "all", of: names.map(on) });
const producer = (dagId: string, ...outlets: string[]) =>
  dagOf(dagId, [taskOf("make", [], { outlets: outlets.map(assetOf) })]);
const consumer = (dagId: string, assets: AssetCondition, more: Partial<DagDefinition> = {}) =>
  dagOf(dagId, [taskOf("use")], { assets, ...more });

const createRuns = () => createAssetRuns(store.db, store.now(), 50);

async function produce(dagId: string): Promise<void> {
  await store.trigger(dagId);
  await store.workThrough();
}

interface Consumed {
  dag_id: string;
  dag_run_id: string;
  events: { asset: string; extra: unknown; task: string | null }[];
}

async function listConsumed(): Promise<Consumed[]> {
  const { rows } = await store.db.query<Consumed>({
    text: `
      select r.dag_id, r.dag_run_id, json_agg(json_build_object('asset', a.name, 'extra', e.extra, 'task', e.source_task_id)
        order by e.id) as events
      from dag_run r join dag_run_asset_event c on c.run_id = r.id join asset_event e on e.id = c.event_id
        join asset a on a.id = e.asset_id
      group by r.id order by r.id`,
  });
  return rows;
}

async function countEvents(): Promise<{ events: number; pending: number }> {
  const { rows } = await store.db.query<{ events: number; pending: number }>({
    text: "select (select count(*) from asset_event) as events, (select count(*) from asset_pending) as pending",
  });
  return rows[0] ?? { events: -1, pending: -1 };
}

describe("a success", () => {
  it("is an event of each outlet, and starts a run once the condition holds", async () => {
    await store.save(producer("p", "a"));
    await store.save(producer("q", "b"));
    await store.save(consumer("c", all("a", "b")));
    await produce("p");
    await produce("p");
    expect(await createRuns()).toEqual({ created: 0, more: false });
    await produce("q");
    expect(await createRuns()).toEqual({ created: 1, more: false });
    const event = (asset: string) => ({ asset, extra: {}, task: "make" });
    expect(await listConsumed()).toMatchObject([{ dag_id: "c", events: [event("a"), event("a"), event("b")] }]);
    expect(await createRuns()).toEqual({ created: 0, more: false });
    expect(await countEvents()).toEqual({ events: 3, pending: 0 });
    const { rows } = await store.db.query({
      text: "select run_type, state, logical_date, run_after, triggered_by from dag_run where dag_id = 'c'",
    });
    expect(rows).toEqual([
      {
        run_type: "asset_triggered",
        state: "queued",
        logical_date: null,
        run_after: store.now(),
        triggered_by: "asset",
      },
    ]);
  });

  it("carries the data that the task emitted, and its run's tasks read it", async () => {
    await store.save(producer("p", "a", "b"));
    await store.save(consumer("c", on("a")));
    await store.trigger("p");
    await store.settle();
    const [launched] = await store.launch();
    if (!launched) throw new Error("nothing was launched");
    const attempt = await store.start(launched.attempt_id);
    const finish = (epoch: number) =>
      finishAttempt(store.db, store.rules, { ...attempt, epoch }, outcomeOf("success"), null, store.now(), [
        { asset: "a", extra: { rows: 3 } },
        { asset: "a", extra: { rows: 4 } },
        { asset: "foreign", extra: {} },
      ]);
    await finish(attempt.epoch);
    // The repeat of a report whose answer was lost.
    await finish(attempt.epoch);
    expect(await countEvents()).toEqual({ events: 3, pending: 2 });
    expect((await createRuns()).created).toBe(1);
    const [use] = await store.workThrough();
    expect(use?.asset_events).toMatchObject([
      { asset: "a", uri: "s3://bucket/a", extra: { rows: 3 }, source_dag_id: "p", source_map_index: -1 },
      { asset: "a", extra: { rows: 4 }, source_task_id: "make", timestamp: store.now().toISOString() },
    ]);
  });

  it("of a mapped task is an event of each instance", async () => {
    const array: Expression = { kind: "result", task_id: "rows", path: [] };
    const map = { over: [{ name: "row", array }] };
    const load = taskOf("load", ["rows"], { inputs: {}, map, outlets: [assetOf("a")] });
    await store.save(dagOf("p", [taskOf("rows"), load]));
    await store.save(consumer("c", on("a")));
    await store.trigger("p");
    await store.workThrough(({ context }) => ({
      kind: "success",
      result: context.task_id === "rows" ? [1, 2, 3] : null,
    }));
    expect((await createRuns()).created).toBe(1);
    const [use] = await store.workThrough();
    expect(use?.asset_events.map((event) => event.source_map_index).toSorted()).toEqual([0, 1, 2]);
  });

  it.each(["task_failed", "skipped", "evicted"] as const)("is none when it ended as %s", async (kind) => {
    await store.save(producer("p", "a"));
    await store.trigger("p");
    await store.settle();
    const [launched] = await store.launch();
    if (!launched) throw new Error("nothing was launched");
    await store.finish(await store.start(launched.attempt_id), kind);
    expect(await countEvents()).toEqual({ events: 0, pending: 0 });
  });

  it("is none of an attempt that was replaced", async () => {
    await store.save(producer("p", "a"));
    await store.trigger("p");
    await store.settle();
    const [launched] = await store.launch();
    if (!launched) throw new Error("nothing was launched");
    const attempt = await store.start(launched.attempt_id);
    await store.db.query({ text: "update task_instance set epoch = epoch + 1" });
    await expect(store.finish(attempt)).rejects.toMatchObject({ code: "attempt_stale" });
    expect(await countEvents()).toEqual({ events: 0, pending: 0 });
  });
});

describe("no event is lost", () => {
  it("while the consumer is paused", async () => {
    await store.save(producer("p", "a"));
    await store.save(consumer("c", on("a")));
    await setDagPaused(store.db, "c", true, null, store.now());
    await produce("p");
    await produce("p");
    expect((await createRuns()).created).toBe(0);
    await setDagPaused(store.db, "c", false, null, store.now());
    expect((await createRuns()).created).toBe(1);
    expect((await listConsumed())[0]?.events).toHaveLength(2);
  });

  it("when the consumer's file changes, and what it does not wait for any more is dropped", async () => {
    await store.save(producer("p", "a", "b"));
    await store.save(consumer("c", all("a", "b", "later")));
    await produce("p");
    await store.save(consumer("c", all("a", "later")), "changed");
    expect(await countEvents()).toEqual({ events: 2, pending: 1 });
    await store.save(consumer("c", on("a")), "changed again");
    expect((await createRuns()).created).toBe(1);
  });

  it("but a new consumer starts from its registration", async () => {
    await store.save(producer("p", "a"));
    await produce("p");
    await store.save(consumer("c", on("a")));
    expect((await createRuns()).created).toBe(0);
    await produce("p");
    expect((await createRuns()).created).toBe(1);
    expect((await listConsumed())[0]?.events).toHaveLength(1);
  });

  it("nor taken twice, by several schedulers at once", async () => {
    await store.save(producer("p", "a"));
    const consumers = Array.from({ length: 12 }, (_, index) => `c${index}`);
    for (const id of consumers) await store.save(consumer(id, on("a"), { max_active_runs: 1 }));
    for (let round = 0; round < 4; round += 1) {
      await store.trigger("p");
      await store.settle();
      const attempt = (await store.launch()).find(({ task_id }) => task_id === "make");
      if (!attempt) throw new Error("the producer was not launched");
      const started = await store.start(attempt.attempt_id);
      // The event is committed while the passes are under way, each at its own time, as of several machines.
      const passes = Array.from({ length: 6 }, (_, index) =>
        createAssetRuns(store.db, new Date(store.now().getTime() + index), 50),
      );
      await Promise.all([store.finish(started), ...passes]);
      await Promise.all(
        passes.map((_, index) => createAssetRuns(store.db, new Date(store.now().getTime() + index), 50)),
      );
      store.pass(1);
    }
    await createRuns();
    const consumed = (await listConsumed()).flatMap((run) => run.events.map(() => run.dag_id));
    expect(consumed.toSorted()).toEqual(consumers.flatMap((id) => [id, id, id, id]).toSorted());
    expect(await countEvents()).toEqual({ events: 4, pending: 0 });
    // No run was made for events that another scheduler had taken.
    const { rows } = await store.db.query({
      text: `select dag_run_id from dag_run r where run_type = 'asset_triggered'
        and not exists (select from dag_run_asset_event c where c.run_id = r.id)`,
    });
    expect(rows).toEqual([]);
  });
});

it("a scheduler that looked before another one took the events makes no run", async () => {
  await store.save(producer("p", "a"));
  await store.save(consumer("c", on("a")));
  await produce("p");
  const later = new Date(store.now().getTime() + 1);
  const transaction: typeof store.db.transaction = async (work) => {
    expect((await createRuns()).created).toBe(1);
    return store.db.transaction(work);
  };
  expect((await createAssetRuns({ ...store.db, transaction }, later, 50)).created).toBe(0);
  expect(await listConsumed()).toHaveLength(1);
});

it("a time schedule beside assets creates runs of its own", async () => {
  const schedule = { kind: "cron", expression: "0 * * * *", timezone: "UTC" } as const;
  await store.save(producer("p", "a"));
  await store.save(consumer("c", on("a"), { schedule }));
  await produce("p");
  store.pass(3600);
  expect((await createDueRuns(store.db, store.now(), 10)).created).toBe(1);
  expect((await createRuns()).created).toBe(1);
  const { rows } = await store.db.query({
    text: "select run_type from dag_run where dag_id = 'c' order by run_type",
  });
  expect(rows).toEqual([{ run_type: "asset_triggered" }, { run_type: "scheduled" }]);
});

it("runs over the limit wait in the queue", async () => {
  await store.save(producer("p", "a"));
  await store.save(consumer("c", on("a"), { max_active_runs: 1 }));
  for (let round = 0; round < 3; round += 1) {
    await store.db.transaction((tx) => recordAssetEvents(tx, [{ asset: "a", extra: {}, source: null }], store.now()));
    expect((await createRuns()).created).toBe(1);
  }
  await store.settle();
  const { rows } = await store.db.query({
    text: "select state, count(*) as runs from dag_run where dag_id = 'c' group by state order by state",
  });
  expect(rows).toEqual([
    { state: "queued", runs: 2 },
    { state: "running", runs: 1 },
  ]);
});
