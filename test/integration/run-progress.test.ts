import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TRIGGER_RULES } from "../../src/core/definition.ts";
import { advanceNextRun, endDeadlockedRun } from "../../src/store/run-advance.ts";
import { readTaskInstance } from "../../src/store/read-task-instances.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

describe("a run", () => {
  it("passes results along edges and ends in success", async () => {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b", ["a"]), taskOf("c", ["a"]), taskOf("z", ["b", "c"])]));
    const run = await store.trigger("d");
    const worked = await store.workThrough(({ context, inputs }) => ({
      kind: "success",
      result: `${context.task_id}(${Object.values(inputs).map(String).join("+")})`,
    }));
    expect(worked.at(-1)?.inputs).toEqual({ b: "b(a())", c: "c(a())" });
    expect(await store.runState(run.id)).toBe("success");
  });

  it("retries a failure, and fails what follows when none is left", async () => {
    await store.save(dagOf("d", [taskOf("a", [], { retries: 1 }), taskOf("b", ["a"])]));
    const run = await store.trigger("d");
    const worked = await store.workThrough(() => ({ kind: "task_failed" }));
    expect(worked.map(({ context }) => context.try_number)).toEqual([1, 2]);
    expect(await store.states(run.id)).toEqual({ a: "failed", b: "upstream_failed" });
    expect(await store.runState(run.id)).toBe("failed");
  });

  it("waits for a retry's delay", async () => {
    await store.save(dagOf("d", [taskOf("a", [], { retries: 1, retry_delay: 60 })]));
    const run = await store.trigger("d");
    await store.workThrough(() => ({ kind: "task_failed" }));
    expect(await store.states(run.id)).toEqual({ a: "up_for_retry" });
    store.pass(60);
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
  });

  it("spends no try on the cluster's faults, and gives up after its budget", async () => {
    await store.save(dagOf("d", [taskOf("a")]));
    const run = await store.trigger("d");
    for (let fault = 1; fault <= 4; fault += 1) {
      const worked = await store.workThrough(() => ({ kind: "evicted" }));
      expect(worked.map(({ context }) => context.try_number)).toEqual([1]);
      store.pass(60);
    }
    expect(await store.states(run.id)).toEqual({ a: "failed" });
    expect(await store.workThrough()).toEqual([]);
  });

  it("skips, and runs empty tasks without an attempt", async () => {
    await store.save(
      dagOf("d", [taskOf("a"), taskOf("gate", ["a"], { kind: "empty" }), taskOf("b", ["gate"]), taskOf("c", ["b"])]),
    );
    const run = await store.trigger("d");
    const worked = await store.workThrough(({ context }) => ({
      kind: context.task_id === "b" ? "skipped" : "success",
    }));
    expect(worked.map(({ context }) => context.task_id)).toEqual(["a", "b"]);
    expect(await store.states(run.id)).toEqual({ a: "success", b: "skipped", c: "skipped", gate: "success" });
    expect(await store.runState(run.id)).toBe("success");
  });

  it("keeps to max_active_runs and max_active_tasks", async () => {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b"), taskOf("c")], { max_active_runs: 1, max_active_tasks: 2 }));
    const runs = [await store.trigger("d"), await store.trigger("d")];
    await store.settle();
    expect(await Promise.all(runs.map(({ id }) => store.runState(id)))).toEqual(["running", "queued"]);
    expect(await store.launch()).toHaveLength(2);
    const key = { dag_id: "d", dag_run_id: runs[0]?.dag_run_id ?? "", map_index: -1 };
    const all = await Promise.all(["a", "b", "c"].map((task_id) => readTaskInstance(store.db, { ...key, task_id })));
    expect(all.flatMap((one) => (one?.state === "scheduled" ? [one.reason] : []))).toEqual([
      expect.stringMatching(/^waits for a slot: 2 tasks of this run are active, max_active_tasks is 2 \(by "/),
    ]);
  });

  it("executes the version it was created with, after the file has changed and gone", async () => {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b", ["a"])]), "old");
    const run = await store.trigger("d");
    await store.settle();
    await store.save(dagOf("d", [taskOf("other")]), "new");
    const worked = await store.workThrough();
    expect(worked.map(({ context, bundle }) => [context.task_id, bundle.hash])).toEqual([
      ["a", "old"],
      ["b", "old"],
    ]);
    expect(await store.runState(run.id)).toBe("success");
  });

  it("ends with a reason when nothing can go on, and goes on where something had been forgotten", async () => {
    await store.save(dagOf("d", [taskOf("a"), taskOf("b", ["a"])]));
    const [lost, forgotten] = [await store.trigger("d"), await store.trigger("d")];
    await store.settle();
    expect(await endDeadlockedRun(store.db, store.rules.versions, store.now())).toBe(false);
    // As no code of ours may leave them: a is over and counted, but b has not been told, or has and was not judged.
    const forget = (seen: number, runId: number) =>
      store.db.query({
        text: `with ended as (
            update task_instance set state = 'success', counted = true where run_id = $2 and task_id = 'a')
          update task_instance set upstream_success = $1 where run_id = $2 and task_id = 'b'`,
        values: [seen, runId],
      });
    await forget(0, lost.id);
    await forget(1, forgotten.id);
    while (await endDeadlockedRun(store.db, store.rules.versions, store.now()));
    const { rows } = await store.db.query({
      text: "select state, reason from dag_run where id = $1",
      values: [lost.id],
    });
    expect(rows).toEqual([
      { state: "failed", reason: expect.stringContaining("deadlocked: nothing runs that b could") },
    ]);
    expect(await store.states(forgotten.id)).toMatchObject({ b: "scheduled" });
  });

  it("is advanced by one scheduler at a time, whoever comes", async () => {
    const middle = Array.from({ length: 40 }, (_, index) => taskOf(`m${index}`, ["a"]));
    await store.save(
      dagOf("d", [
        taskOf("a"),
        ...middle,
        taskOf(
          "z",
          middle.map((task) => task.task_id),
        ),
      ]),
    );
    const run = await store.trigger("d");
    await store.settle();
    const [first] = await store.launch();
    if (!first) throw new Error("nothing was launched");
    await store.finish(await store.start(first.attempt_id));
    await store.settle();
    const launched = await store.launch();
    const started = await Promise.all(launched.map(({ attempt_id }) => store.start(attempt_id)));
    // Ends and advances run into each other from 8 connections.
    await Promise.all([
      ...started.map((attempt) => store.finish(attempt)),
      ...Array.from({ length: 30 }, () => advanceNextRun(store.db, store.rules.versions, store.now())),
    ]);
    await store.workThrough();
    const { rows } = await store.db.query({
      text: "select upstream_success, upstream_total from task_instance where run_id = $1 and task_id = 'z'",
      values: [run.id],
    });
    expect(rows).toEqual([{ upstream_success: 40, upstream_total: 40 }]);
    expect(await store.runState(run.id)).toBe("success");
  });

  it("never hangs and leaves nothing uncounted, for random graphs, rules and ends", async () => {
    const shape = fc.array(
      fc.record({
        upstream: fc.array(fc.nat(11), { maxLength: 4 }),
        rule: fc.constantFrom(...TRIGGER_RULES),
        kind: fc.constantFrom("function" as const, "function" as const, "empty" as const),
        end: fc.constantFrom("success" as const, "success" as const, "task_failed" as const, "skipped" as const),
      }),
      { minLength: 1, maxLength: 12 },
    );
    let count = 0;
    await fc.assert(
      fc.asyncProperty(shape, async (nodes) => {
        count += 1;
        const dagId = `random${count}`;
        const tasks = nodes.map(({ upstream, rule, kind }, index) => {
          const before = [...new Set(upstream.filter((other) => other < index))].map((other) => `t${other}`);
          return taskOf(`t${index}`, before, { trigger_rule: rule, kind });
        });
        await store.save(dagOf(dagId, tasks), dagId);
        const run = await store.trigger(dagId);
        await store.workThrough(({ context }) => ({ kind: nodes[Number(context.task_id.slice(1))]?.end ?? "success" }));
        expect(["success", "failed"]).toContain(await store.runState(run.id));
        const { rows } = await store.db.query({
          text: `select count(*) filter (where not counted) as uncounted,
              count(*) filter (where upstream_success + upstream_failed + upstream_upstream_failed + upstream_skipped
                + upstream_removed <> upstream_total) as wrong,
              (select unfinished from dag_run where id = $1) as unfinished
            from task_instance where run_id = $1`,
          values: [run.id],
        });
        expect(rows).toEqual([{ uncounted: 0, wrong: 0, unfinished: 0 }]);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
