// What people do to runs, on the real store: at any instant, with the moves of schedulers and workers between.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimStops } from "../../src/store/attempt-stop.ts";
import { recordHeartbeat } from "../../src/store/heartbeats.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import type { Intervention } from "../../src/store/intervene.ts";
import { act, ALONE, begin, BELOW, clear, findFaults, mark, restartAll } from "../support/interventions.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

const CHAIN = () => [taskOf("a"), taskOf("b", ["a"]), taskOf("c", ["b"])];

describe("a run with a teardown", () => {
  const TASKS = () => [
    taskOf("up", [], { role: "setup" }),
    taskOf("work", ["up"]),
    taskOf("late", ["work"]),
    taskOf("down", ["up", "late"], { role: "teardown", trigger_rule: "all_done_setup_success", inputs: {} }),
  ];
  const say = (state: "success" | "failed", what: string): Intervention => ({
    kind: "mark_run",
    state,
    reason: `${what} by ada`,
  });
  /** Until `work` runs. */
  async function beginWork() {
    const run = await begin(store, TASKS());
    await store.settle();
    const [up] = await store.launch();
    await store.finish(await store.start(up?.attempt_id ?? ""));
    await store.settle();
    const [work] = await store.launch();
    return { run, work: await store.start(work?.attempt_id ?? "") };
  }
  const reasonOf = async ({ id }: { id: number }) =>
    (await store.db.query({ text: "select state, reason from dag_run where id = $1", values: [id] })).rows[0];

  it.each([
    ["failed", "cancelled", { up: "success", work: "failed", late: "skipped", down: "success" }],
    ["failed", "marked failed", { up: "success", work: "failed", late: "skipped", down: "success" }],
    ["success", "marked success", { up: "success", work: "success", late: "success", down: "success" }],
  ] as const)("that is to end as %s, %s, tears down first what it has set up", async (state, what, states) => {
    const { run, work } = await beginWork();
    await act(store, run, say(state, what));
    expect(await reasonOf(run)).toEqual({ state: "running", reason: `${what} by ada` });
    await store.finish(work, "task_failed").catch(() => {});
    const worked = await store.workThrough();
    expect(worked.map(({ context }) => context.task_id)).toEqual(["down"]);
    expect(await store.states(run.id)).toEqual(states);
    expect(await reasonOf(run)).toEqual({ state, reason: `${what} by ada` });
    expect(await findFaults(store, run)).toEqual([]);
    // Its leaves decide again when one of them is marked.
    await act(store, run, mark(["late"], state === "failed" ? "success" : "failed"));
    expect(await store.runState(run.id)).toBe(state === "failed" ? "success" : "failed");
  });

  it("forgets that it was cancelled when a task of it is cleared before its end", async () => {
    const { run, work } = await beginWork();
    await act(store, run, say("failed", "cancelled"));
    await store.finish(work, "task_failed").catch(() => {});
    await act(store, run, clear(["work"]));
    await store.workThrough();
    expect(await reasonOf(run)).toEqual({ state: "success", reason: null });
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("ends at once when nothing has been set up", async () => {
    const run = await begin(store, TASKS());
    await store.settle();
    const plan = await act(store, run, say("failed", "cancelled"));
    expect(plan[0]?.run_to).toBe("failed");
    expect(await store.states(run.id)).toEqual({ up: "failed", work: "skipped", late: "skipped", down: "skipped" });
    expect(await findFaults(store, run)).toEqual([]);
  });
});

describe("clearing", () => {
  it("executes what failed and all below it again, with its tries anew", async () => {
    const run = await begin(store, [taskOf("a"), taskOf("b", ["a"], { retries: 1 }), taskOf("c", ["b"])]);
    await store.workThrough(({ context }) => ({ kind: context.task_id === "b" ? "task_failed" : "success" }));
    expect(await store.states(run.id)).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
    expect(await store.runState(run.id)).toBe("failed");
    const preview = await act(store, run, clear(["b"]), { dry_run: true });
    expect(await store.states(run.id)).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
    expect(await act(store, run, clear(["b"]))).toEqual(preview);
    expect(preview[0]?.changes.map(({ task_id, from, to, max_tries }) => [task_id, from, to, max_tries])).toEqual([
      ["b", "failed", null, 4],
      ["c", "upstream_failed", null, 1],
    ]);
    expect(await store.runState(run.id)).toBe("queued");
    const worked = await store.workThrough();
    expect(worked.map(({ context, epoch }) => [context.task_id, context.try_number, epoch])).toEqual([
      ["b", 3, 3],
      ["c", 1, 1],
    ]);
    expect(await store.states(run.id)).toEqual({ a: "success", b: "success", c: "success" });
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("ends a running attempt first: its successor begins when it has said that it ended", async () => {
    const run = await begin(store, CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(store, run, clear(["a"]));
    expect(await store.states(run.id)).toMatchObject({ a: "restarting" });
    expect(await recordHeartbeat(store.db, attempt, store.now())).toEqual({ stop: "cleared by ada" });
    await restartAll(store);
    await store.settle();
    expect(await store.launch()).toEqual([]);
    // What it returns within its grace is not the cleared instance's result.
    await store.finish(attempt, "success", "old");
    const { rows } = await store.db.query({ text: "select value from task_result" });
    expect(rows).toEqual(expect.not.arrayContaining([{ value: "old" }]));
    await restartAll(store);
    await store.settle();
    const [next] = await store.launch();
    expect(next).toMatchObject({ task_id: "a", epoch: 2 });
    await store.finish(await store.start(next?.attempt_id ?? ""));
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("moves a run to the newest version: added tasks appear, vanished ones are removed", async () => {
    const run = await begin(store, CHAIN());
    await store.workThrough();
    await store.save(dagOf(run.dag_id, [taskOf("a"), taskOf("new", ["a"]), taskOf("c", ["new"])]), "newer");
    const [plan] = await act(store, run, clear(["new"], BELOW, { newest: true }));
    expect(plan?.move?.added).toEqual(["new"]);
    const worked = await store.workThrough();
    expect(worked.map(({ context, bundle }) => [context.task_id, bundle.hash])).toEqual([
      ["new", "newer"],
      ["c", "newer"],
    ]);
    expect(await store.states(run.id)).toEqual({ a: "success", b: "removed", c: "success", new: "success" });
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("reaches earlier and later runs", async () => {
    const first = await begin(store, [taskOf("a")]);
    await store.workThrough();
    store.pass(60);
    const second = { dag_id: first.dag_id, ...(await store.trigger(first.dag_id)) };
    await store.workThrough();
    const past = await act(store, second, clear(["a"]), { past: true, dry_run: true });
    expect(past.map(({ run }) => run.id)).toEqual([first.id, second.id]);
    expect(await act(store, second, clear(["a"]), { future: true, dry_run: true })).toHaveLength(1);
  });
});

describe("marking", () => {
  it("counts for what waits below, and ends the attempt", async () => {
    const run = await begin(store, CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(store, run, mark(["a"], "success"));
    await store.settle();
    expect(await store.states(run.id)).toEqual({ a: "success", b: "queued", c: null });
    expect(await recordHeartbeat(store.db, attempt, store.now())).toEqual({ stop: "success by ada" });
    await expect(store.finish(attempt, "task_failed")).rejects.toMatchObject({ code: "attempt_stale" });
    expect(await store.states(run.id)).toMatchObject({ a: "success" });
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("judges a finished run again, and runs what a failure had kept from running", async () => {
    const run = await begin(store, CHAIN());
    await store.workThrough(({ context }) => ({ kind: context.task_id === "b" ? "task_failed" : "success" }));
    await act(store, run, mark(["b"], "success"));
    expect(await store.runState(run.id)).toBe("queued");
    await store.workThrough();
    expect(await store.states(run.id)).toEqual({ a: "success", b: "success", c: "success" });
    await act(store, run, mark(["c"], "failed"));
    expect(await store.runState(run.id)).toBe("failed");
    await act(store, run, mark(["c"], "skipped"));
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("ends a whole run, whatever its leaves are", async () => {
    const run = await begin(store, CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(store, run, { kind: "mark_run", state: "failed", reason: "cancelled by ada" });
    expect(await store.states(run.id)).toEqual({ a: "failed", b: "skipped", c: "skipped" });
    expect(await store.runState(run.id)).toBe("failed");
    const claim = { executor: "local", holder: "test", limit: 10, leaseMs: 1_000 };
    const stops = await claimStops(store.db, store.rules, claim, store.now());
    expect(stops.map(({ attempt_id }) => attempt_id)).toEqual([attempt.attempt_id]);
    expect(await claimStops(store.db, store.rules, claim, store.now())).toEqual([]);
    await store.finish(attempt, "lost").catch(() => {});
    const { rows } = await store.db.query({
      text: "select outcome, outcome_reason from attempt where id = $1",
      values: [attempt.attempt_id],
    });
    expect(rows).toEqual([{ outcome: "cancelled", outcome_reason: "cancelled by ada" }]);
    await act(store, run, clear(null));
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });

  it("ends an attempt that was never launched at once", async () => {
    const run = await begin(store, CHAIN());
    await store.settle();
    await act(store, run, mark(["a"], "cancelled"));
    expect(await store.launch()).toEqual([]);
    const { rows } = await store.db.query({
      text: "select a.outcome, t.state, t.reason from attempt a join task_instance t on t.id = a.task_instance_id where t.run_id = $1",
      values: [run.id],
    });
    expect(rows).toEqual([{ outcome: "cancelled", state: "failed", reason: "cancelled by ada" }]);
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("failed");
  });
});

describe("at any instant, in any order", () => {
  it("interventions, ends and advances run into each other, and nothing is lost", async () => {
    const middle = Array.from({ length: 20 }, (_, index) => taskOf(`m${index}`, ["a"]));
    const ids = middle.map((task) => task.task_id);
    const run = await begin(store, [taskOf("a"), ...middle, taskOf("z", ids, { trigger_rule: "all_done" })]);
    await store.settle();
    const [first] = await store.launch();
    await store.finish(await store.start(first?.attempt_id ?? ""));
    await store.settle();
    const started = await Promise.all((await store.launch()).map(({ attempt_id }) => store.start(attempt_id)));
    await Promise.all([
      ...started.map((attempt) => store.finish(attempt).catch(() => {})),
      ...ids.slice(0, 6).map((id) => act(store, run, clear([id], ALONE))),
      ...ids.slice(6, 9).map((id) => act(store, run, mark([id], "failed"))),
      ...Array.from({ length: 10 }, () => advanceNextRun(store.db, store.rules.versions, store.now())),
      ...Array.from({ length: 4 }, () => store.settle()),
    ]);
    await restartAll(store);
    await store.workThrough();
    expect(await findFaults(store, run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
    const { rows } = await store.db.query({
      text: "select count(*) from attempt a join task_instance t on t.id = a.task_instance_id where t.run_id = $1 and outcome is null",
      values: [run.id],
    });
    expect(rows).toEqual([{ count: 0 }]);
  });
});
