import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DagDefinition, Schedule } from "../../src/core/definition.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { computeStaleTimes } from "../../src/scheduler/compute-times.ts";
import { createDueRuns } from "../../src/store/due-runs.ts";
import { recordHeartbeat } from "../../src/store/heartbeats.ts";
import { endOverdueRuns } from "../../src/store/overdue-runs.ts";
import { setDagPaused } from "../../src/store/pause-dag.ts";
import { readDag } from "../../src/store/read-dags.ts";
import { act, clear, restartAll } from "../support/interventions.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const HOURLY = { kind: "cron", expression: "0 * * * *", timezone: "UTC" } as const;
const saveScheduled = (schedule: Schedule, more: Partial<DagDefinition> = {}) =>
  store.save(dagOf("d", [taskOf("a")], { schedule, ...more }));

async function createAll(): Promise<number> {
  let created = 0;
  for (;;) {
    const pass = await createDueRuns(store.db, store.now(), 10);
    created += pass.created;
    if (!pass.more) return created;
  }
}

async function listRuns() {
  const { rows } = await store.db.query<{ logical_date: Date; run_after: Date; state: string }>({
    text: "select logical_date, run_after, state from dag_run order by logical_date",
  });
  return rows.map(({ logical_date, run_after, state }) => ({
    logical: logical_date.toISOString(),
    after: run_after.toISOString(),
    state,
  }));
}

describe("the kinds of schedules", () => {
  it("runs once at its start, and never again", async () => {
    await saveScheduled({ kind: "once" }, { start_date: "2026-11-21T09:00:00Z" });
    expect(await createAll()).toBe(0);
    store.pass(3600);
    expect(await createAll()).toBe(1);
    await saveScheduled({ kind: "once" }, { start_date: "2026-11-21T09:00:00Z", description: "new version" });
    store.pass(86_400);
    expect(await createAll()).toBe(0);
    expect(await listRuns()).toMatchObject([{ logical: "2026-11-21T09:00:00.000Z" }]);
  });

  it("runs once at once without a start", async () => {
    await saveScheduled({ kind: "once" });
    store.pass(60);
    expect([await createAll(), await createAll()]).toEqual([1, 0]);
  });

  it("runs continuously, one after the other", async () => {
    await saveScheduled({ kind: "continuous" }, { max_active_runs: 1 });
    expect([await createAll(), await createAll()]).toEqual([1, 0]);
    store.pass(90);
    expect(await createAll()).toBe(0);
    await store.workThrough();
    expect(await createAll()).toBe(1);
    const runs = await listRuns();
    expect(runs.map(({ logical }) => logical)).toEqual(["2026-11-21T08:00:00.000Z", "2026-11-21T08:01:30.000Z"]);
  });

  it("has intervals from tick to tick", async () => {
    await saveScheduled(HOURLY, { intervals: "previous", catchup: true, start_date: "2026-11-21T05:00:00Z" });
    expect(await createAll()).toBe(3);
    const { rows } = await store.db.query({
      text: "select 1 from dag_run where logical_date = data_interval_start and data_interval_end = run_after and run_after = logical_date + interval '1 hour'",
    });
    expect(rows).toHaveLength(3);
  });

  it("puts runs off by their jitter, and loses none of them", async () => {
    await saveScheduled(HOURLY, { jitter: 5400, max_active_runs: 100 });
    const found = new Set<string>();
    for (let minutes = 0; minutes < 24 * 60; minutes += 5) {
      store.pass(300);
      await createAll();
      for (const run of await listRuns()) found.add(run.logical);
    }
    const delays = (await listRuns()).map(({ logical, after }) => (Date.parse(after) - Date.parse(logical)) / 1000);
    expect(delays.every((delay) => delay >= 0 && delay < 5400)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(15);
    // From 09:00 on, all whose time has come by 08:00 of the next day.
    expect([...found].slice(0, 22)).toEqual(
      Array.from({ length: 22 }, (_, hour) => new Date(Date.UTC(2026, 10, 21, 9 + hour)).toISOString()),
    );
  });

  it("does not create runs of paused DAGs, and the latest missed one afterwards", async () => {
    await saveScheduled(HOURLY);
    await setDagPaused(store.db, "d", true, null, store.now());
    store.pass(5 * 3600);
    expect(await createAll()).toBe(0);
    await setDagPaused(store.db, "d", false, null, store.now());
    expect(await createAll()).toBe(1);
    expect(await listRuns()).toMatchObject([{ logical: "2026-11-21T13:00:00.000Z" }]);
  });

  it("asks a custom timetable in the sealed process, ahead of time", async () => {
    const definition = dagOf("d", [taskOf("a")], { schedule: { kind: "custom", timezone: "UTC" } });
    // What a bundle exports, by hand: every 7 hours.
    const code = `exports.d = { [Symbol.for("windlass.dag")]: { definition: { dag_id: "d", schedule: { kind: "custom", timezone: "UTC" } },
      functions: {}, timetable: (after) => after.add({ hours: 7 }) } };`;
    await store.db.query({
      text: "insert into dag_bundle (hash, code, source_map, created_at) values ('custom', $1, '{}', $2)",
      values: [code, store.now()],
    });
    await store.save(definition, "custom");
    const clock = { ...systemClock, now: store.now };
    const context = { db: store.db, rules: store.rules, clock, log: createLogger("silent") };
    expect(await computeStaleTimes(context)).toMatchObject({ counts: { asked: 1 } });
    expect(await computeStaleTimes(context)).toMatchObject({ counts: { asked: 0 } });
    expect(await createAll()).toBe(0);
    store.pass(7 * 3600);
    expect(await createAll()).toBe(1);
    store.pass(7 * 3600);
    expect(await createAll()).toBe(1);
    expect((await listRuns()).map(({ logical }) => logical)).toEqual([
      "2026-11-21T15:00:00.000Z",
      "2026-11-21T22:00:00.000Z",
    ]);
  });
});

describe("two schedulers", () => {
  it("create each run of a catchup once, and start no more than the limit", async () => {
    await saveScheduled(HOURLY, { catchup: true, start_date: "2026-11-20T08:00:00Z", max_active_runs: 30 });
    const passes = await Promise.all([createAll(), createAll(), createAll()]);
    expect(passes.reduce((sum, created) => sum + created)).toBeLessThanOrEqual(25);
    await createAll();
    expect(await listRuns()).toHaveLength(25);
  });
});

describe("max_consecutive_failed_runs", () => {
  const fail = () => ({ kind: "task_failed" as const });
  const readPause = async () => {
    const dag = await readDag(store.db, "d");
    return { paused: dag?.is_paused, reason: dag?.pause_reason };
  };
  const runOnce = async (work?: typeof fail) => {
    store.pass(10);
    await store.trigger("d");
    await store.workThrough(work);
  };

  it("pauses the DAG after so many failures in a row, with the reason", async () => {
    await store.save(dagOf("d", [taskOf("a")], { max_consecutive_failed_runs: 2 }));
    await runOnce(fail);
    await runOnce();
    await runOnce(fail);
    expect(await readPause()).toEqual({ paused: false, reason: null });
    await runOnce(fail);
    expect(await readPause()).toEqual({ paused: true, reason: "paused because the last 2 runs failed" });
  });

  it("counts anew when it is unpaused", async () => {
    await store.save(dagOf("d", [taskOf("a")], { max_consecutive_failed_runs: 2 }));
    await runOnce(fail);
    await runOnce(fail);
    await setDagPaused(store.db, "d", false, null, store.now());
    expect(await readPause()).toEqual({ paused: false, reason: null });
    await runOnce(fail);
    expect(await readPause()).toMatchObject({ paused: false });
    await runOnce(fail);
    expect(await readPause()).toMatchObject({ paused: true });
  });
});

describe("run_timeout", () => {
  it("fails the run, skips what is left, and ends what it runs", async () => {
    await store.save(
      dagOf("d", [taskOf("a"), taskOf("b", ["a"])], { run_timeout: 60, max_consecutive_failed_runs: 1 }),
    );
    const run = await store.trigger("d");
    await store.settle();
    const [launched] = await store.launch();
    const started = await store.start(launched?.attempt_id ?? "");
    const due = new Date(store.now().getTime() + 60_000);
    expect(await endOverdueRuns(store.db, store.rules, store.now(), 10)).toEqual({ ended: 0, next_due: due });
    store.pass(60);
    expect(await endOverdueRuns(store.db, store.rules, store.now(), 10)).toEqual({ ended: 1, next_due: null });
    expect(await store.states(run.id)).toEqual({ a: "skipped", b: "skipped" });
    const { rows } = await store.db.query({
      text: `select r.state, r.reason, r.unfinished, a.state as attempt, a.outcome, a.stop_reason
        from dag_run r join task_instance t on t.run_id = r.id join attempt a on a.task_instance_id = t.id`,
    });
    expect(rows).toEqual([
      {
        state: "failed",
        reason: "failed because it took longer than its run timeout of 60 s",
        unfinished: 0,
        // Open until its process is gone: two of one instance never run at once.
        attempt: "running",
        outcome: null,
        stop_reason: "skipped because its run took longer than its timeout",
      },
    ]);
    expect(await recordHeartbeat(store.db, started, store.now())).toEqual({
      stop: "skipped because its run took longer than its timeout",
    });
    expect(await readDag(store.db, "d")).toMatchObject({
      is_paused: true,
      pause_reason: "paused because a run failed",
    });
    await setDagPaused(store.db, "d", false, null, store.now());
    await act(store, { ...run, dag_id: "d" }, clear(["a"]));
    expect(await store.states(run.id)).toMatchObject({ a: "restarting" });
    await store.settle();
    expect(await store.launch()).toEqual([]);
    await store.finish(started, "task_failed");
    await restartAll(store);
    await store.settle();
    expect(await store.launch()).toMatchObject([{ task_id: "a", epoch: 2 }]);
  });
});
