// A new run from the middle of one with maps: what lies above the chosen tasks is taken over with all its instances.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import type { StartedAttempt } from "../../src/store/attempt-start.ts";
import { rerun, type RerunCall } from "../../src/store/rerun.ts";
import { act, ALONE, begin, clear, findFaults, mappedTasks, publish, type Run } from "../support/interventions.ts";
import { openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

/** With names: m of its items, and the group's of theirs. */
const TASKS = mappedTasks([]).map((task): TaskDefinition => {
  if (!task.map || task.task_id === "n") return task;
  return { ...task, map: { ...task.map, label: { kind: "item", name: "item", path: [] } } };
});
const ROWS = ["x", "y"];
const work = (rows: Json = ROWS) =>
  store.workThrough(({ context: { task_id, map_index } }) => ({
    kind: "success",
    result: task_id === "rows" ? rows : `${task_id} ${map_index}`,
  }));
const nameOf = ({ context: { task_id, map_index } }: StartedAttempt) =>
  map_index < 0 ? task_id : `${task_id}[${map_index}]`;

async function again(run: Run, tasks: string[], more: Partial<RerunCall> = {}) {
  const { rows } = await store.db.query<{ version_id: number }>({
    text: "select current_version_id as version_id from dag where dag_id = $1",
    values: [run.dag_id],
  });
  const new_dag_run_id = `again-${randomUUID()}`;
  const call: RerunCall = {
    dag_id: run.dag_id,
    dag_run_id: run.dag_run_id,
    task_ids: tasks,
    version_id: rows[0]?.version_id ?? 0,
    new_dag_run_id,
    conf: {},
    params: {},
    results: {},
    note: null,
    user: "ada",
    reason: "taken over from run by ada",
    dry_run: false,
    ...more,
  };
  const plan = await rerun(store.db, store.rules, call, store.now());
  const made = await store.db.query<{ id: number }>({
    text: "select id from dag_run where dag_id = $1 and dag_run_id = $2",
    values: [run.dag_id, new_dag_run_id],
  });
  return { plan, run: { id: made.rows[0]?.id ?? 0, dag_id: run.dag_id, dag_run_id: new_dag_run_id } };
}

async function instances(run: Run): Promise<Record<string, [string, string | null, Json]>> {
  const { rows } = await store.db.query<{ name: string; state: string; label: string | null; value: Json }>({
    text: `select case when map_index < 0 then task_id else task_id || '[' || map_index || ']' end as name, state,
        rendered_map_index as label, value
      from task_instance t left join task_result r on r.task_instance_id = t.id where run_id = $1
      order by task_id, map_index`,
    values: [run.id],
  });
  return Object.fromEntries(rows.map(({ name, state, label, value }) => [name, [state, label, value]]));
}

describe("running again from a task below maps", () => {
  it.each<[string[], string[], string[]]>([
    [["end"], ["rows", "m", "n", "g", "g.a", "g.b"], ["end"]],
    [["n"], ["rows", "m", "g", "g.a", "g.b"], ["end", "n[0]", "n[1]"]],
    [["g.b"], ["rows", "m", "n", "g", "g.a"], ["end", "g.b[0]", "g.b[1]"]],
    [["m"], ["rows", "g", "g.a", "g.b"], ["end", "m[0]", "m[1]", "n[0]", "n[1]"]],
    // No member of the group is left whose items the others could have.
    [["g.a"], ["rows", "m", "n"], ["end", "g.a[0]", "g.a[1]", "g.b[0]", "g.b[1]"]],
  ])("from %j takes over %j and executes %j", async (chosen, taken, executed) => {
    const source = await begin(store, TASKS);
    await work();
    const { plan, run } = await again(source, chosen);
    expect(plan.taken.map(({ task_id }) => task_id).toSorted()).toEqual(taken.toSorted());
    expect(await findFaults(store, run)).toEqual([]);
    expect((await work()).map(nameOf).toSorted()).toEqual(executed);
    expect(await findFaults(store, run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
    expect(await instances(run)).toEqual(await instances(source));
    expect((await instances(run))["g.a[1]"]).toEqual(["success", "y", "g.a 1"]);
  });

  it("gives the tasks below other results, of a map one for each success", async () => {
    const source = await begin(store, TASKS);
    await work();
    await expect(again(source, ["n"], { results: { m: ["one"] } })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("m is mapped: give an array of 2 results"),
    });
    const { run } = await again(source, ["n"], { results: { m: ["one", "two"] } });
    expect((await instances(run))["m[1]"]).toEqual(["success", "y", "two"]);
    const inputs = (await work()).flatMap((attempt) =>
      attempt.context.task_id === "n" ? [[attempt.context.map_index, attempt.inputs]] : [],
    );
    expect(Object.fromEntries(inputs)).toEqual({ 0: { item: "one" }, 1: { item: "two" } });
  });

  it("can execute one index of what was taken over, with its item", async () => {
    const source = await begin(store, TASKS);
    await work();
    const { run } = await again(source, ["end"]);
    await work();
    const one = clear([], ALONE);
    if (one.kind === "clear") one.request.tasks = [{ task_id: "m", map_index: 1 }];
    await act(store, run, one);
    expect((await work()).map((attempt) => [nameOf(attempt), attempt.inputs])).toEqual([["m[1]", { item: "y" }]]);
  });

  it("executes a map anew of which an instance failed, or that the version maps otherwise", async () => {
    const source = await begin(store, TASKS);
    await store.workThrough(({ context: { task_id, map_index } }) => ({
      kind: task_id === "m" && map_index === 1 ? "task_failed" : "success",
      result: task_id === "rows" ? ROWS : 1,
    }));
    const first = await again(source, ["end"]);
    expect(first.plan.executed.toSorted()).toEqual(["end", "m", "n"]);
    await work();
    const plain = TASKS.map((task) => (task.task_id === "m" ? taskOf("m", ["rows"]) : task));
    await publish(store, source, plain);
    const second = await again(first.run, ["end"]);
    expect(second.plan.executed.toSorted()).toEqual(["end", "m", "n"]);
    await store.workThrough(() => ({ kind: "success", result: ["z"] }));
    expect(await store.runState(second.run.id)).toBe("success");
    expect(Object.keys(await instances(second.run)).filter((name) => /^[mn]/.test(name))).toEqual(["m", "n[0]"]);
  });

  it("executes exactly what it says, wherever it begins, and comes to its end", async () => {
    const ids = TASKS.map(({ task_id }) => task_id);
    const end = fc.constantFrom(
      "success" as const,
      "success" as const,
      "success" as const,
      "task_failed" as const,
      "skipped" as const,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(ids, { minLength: 1 }),
        fc.nat(3),
        fc.array(end, { minLength: 5, maxLength: 5 }),
        async (chosen, length, ends) => {
          let ended = 0;
          const rows = Array.from({ length }, (_, index) => index);
          const source = await begin(
            store,
            mappedTasks(["all_done", "all_done", "all_success", "all_done", "all_done", "all_done"]),
          );
          await store.workThrough(({ context }) => ({
            kind: context.task_id === "rows" ? "success" : (ends[(ended += 1) % ends.length] ?? "success"),
            result: context.task_id === "rows" ? rows : 1,
          }));
          const { plan, run } = await again(source, chosen);
          expect(await findFaults(store, run)).toEqual([]);
          const worked = await work(rows);
          expect(await findFaults(store, run)).toEqual([]);
          expect(await store.runState(run.id)).toBe("success");
          const executed = new Set(worked.map(({ context }) => context.task_id));
          expect(plan.taken.filter(({ task_id }) => executed.has(task_id))).toEqual([]);
          for (const task of plan.taken) {
            for (const { map_index, state } of task.instances) {
              const name = map_index < 0 ? task.task_id : `${task.task_id}[${map_index}]`;
              expect([name, (await instances(run))[name]?.[0]]).toEqual([name, state]);
            }
          }
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});
