// Maps, groups, setups and teardowns through the store: what instances there are, what they get, and how the run ends.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DagDefinition, Expression, TaskDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import { readSituation } from "../../src/store/read-situation.ts";
import { explainInstance } from "../../src/core/explain.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const result = (task_id: string, more: { each?: string[]; path?: string[] } = {}): Expression => ({
  kind: "result",
  task_id,
  path: [],
  ...more,
});
const literal = (value: Json): Expression => ({ kind: "value", value });
const item = (name: string): Expression => ({ kind: "item", name, path: [] });

/** A task that runs over arrays, each under its name. */
function mapOf(
  taskId: string,
  over: { [name: string]: Expression },
  more: Partial<TaskDefinition> = {},
  map: Partial<TaskDefinition["map"]> = {},
): TaskDefinition {
  const upstream = Object.values(over).flatMap((array) => (array.kind === "result" ? [array.task_id] : []));
  return taskOf(taskId, [...new Set(upstream)], {
    inputs: Object.fromEntries(Object.keys(over).map((name) => [name, item(name)])),
    map: { over: Object.entries(over).map(([name, array]) => ({ name, array })), ...map },
    ...more,
  });
}

/** The end of every instance, under names such as "square[2]"; a task fails where `fails` says so, else returns `value`. */
async function runThrough(
  definition: DagDefinition,
  value: (taskId: string, inputs: { [name: string]: Json }, index: number) => Json,
  ends: (name: string) => "success" | "task_failed" | "skipped" = () => "success",
) {
  await store.save(definition, definition.dag_id);
  const run = await store.trigger(definition.dag_id);
  const seen: { [name: string]: Json } = {};
  await store.workThrough(({ context: { task_id, map_index }, inputs }) => {
    const name = map_index === -1 ? task_id : `${task_id}[${map_index}]`;
    seen[name] = inputs;
    return { kind: ends(name), result: value(task_id, inputs, map_index) };
  });
  const { rows } = await store.db.query<{ name: string; state: string; reason: string | null }>({
    text: `select case when map_index = -1 then task_id else task_id || '[' || map_index || ']' end as name, state, reason
      from task_instance where run_id = $1 order by task_id, map_index`,
    values: [run.id],
  });
  return {
    run,
    seen,
    states: Object.fromEntries(rows.map(({ name, state }) => [name, state])),
    reasons: Object.fromEntries(rows.map(({ name, reason }) => [name, reason])),
    state: await store.runState(run.id),
  };
}

describe("a map", () => {
  it("runs over a result, gives its results as an array, and is mapped over again", async () => {
    const definition = dagOf("d", [
      taskOf("rows"),
      mapOf("square", { n: result("rows") }),
      mapOf("again", { n: result("square") }),
      taskOf("total", ["again"]),
    ]);
    const { seen, states, state } = await runThrough(definition, (task, { n }) =>
      task === "rows" ? [1, 2, 3] : Number(n) ** 2,
    );
    expect(seen).toMatchObject({ "again[2]": { n: 9 }, "square[0]": { n: 1 }, total: { again: [1, 16, 81] } });
    expect(Object.keys(states)).toEqual([
      "again[0]",
      "again[1]",
      "again[2]",
      "rows",
      "square[0]",
      "square[1]",
      "square[2]",
      "total",
    ]);
    expect(state).toBe("success");
  });

  it("takes every combination of several arrays, the last one fastest, or pairs", async () => {
    const over = { a: result("rows"), b: literal(["x", "y"]) };
    const definition = dagOf("d", [taskOf("rows"), mapOf("cross", over), mapOf("zip", over, {}, { mode: "zip" })]);
    const { seen } = await runThrough(definition, () => [1, 2]);
    expect([0, 1, 2, 3].map((index) => seen[`cross[${index}]`])).toEqual([
      { a: 1, b: "x" },
      { a: 1, b: "y" },
      { a: 2, b: "x" },
      { a: 2, b: "y" },
    ]);
    expect([seen["zip[0]"], seen["zip[1]"], seen["zip[2]"]]).toEqual([{ a: 1, b: "x" }, { a: 2, b: "y" }, undefined]);
  });

  it("goes on with the results of those that succeeded, where the rule allows", async () => {
    const definition = dagOf("d", [
      mapOf("square", { n: literal([1, 2, 3, 4]) }),
      mapOf("again", { n: result("square") }, { trigger_rule: "all_done" }),
      taskOf("total", ["square"], { trigger_rule: "all_done" }),
      taskOf("strict", ["square"]),
    ]);
    const { seen, states } = await runThrough(
      definition,
      (_, { n }) => Number(n) * 10,
      (name) => (name === "square[1]" ? "task_failed" : name === "square[2]" ? "skipped" : "success"),
    );
    expect(seen).toMatchObject({ "again[0]": { n: 10 }, "again[1]": { n: 40 }, total: { square: [10, 40] } });
    expect(states).toMatchObject({ strict: "upstream_failed", "again[1]": "success" });
    expect(seen["again[2]"]).toBeUndefined();
  });

  it.each<[string, Json, Partial<TaskDefinition["map"]>, string, string]>([
    ["an empty array", [], {}, "skipped", 'it has nothing to run over: "n" has 0'],
    ["what is no array", { n: 1 }, {}, "failed", 'not expanded: "n" must be an array, but is an object'],
    ["nothing", null, {}, "failed", 'not expanded: "n" must be an array, but is null'],
    [
      "too many items",
      [1, 2, 3],
      { max_length: 2 },
      "failed",
      'not expanded: it would have 3 instances ("n" has 3), and its maxMapLength is 2. Raise it, or map over less',
    ],
  ])("ends without instances on %s", async (_, value, map, state, reason) => {
    const definition = dagOf("d", [taskOf("rows"), mapOf("square", { n: result("rows") }, {}, map)]);
    const { states, reasons, run } = await runThrough(definition, () => value);
    expect(states).toEqual({ rows: "success", square: state });
    expect(reasons["square"]).toBe(reason);
    const key = { dag_id: "d", dag_run_id: run.dag_run_id, task_id: "square", map_index: -1 };
    const situation = await readSituation(store.db, store.rules.versions, key);
    if (!situation) throw new Error("there is no such instance");
    const limits = { infrastructure_budget: 3, heartbeat_interval: 10, fence: 300 };
    const scheduler = { alive: true, seen_at: store.now(), executors: [] };
    const { sentence } = explainInstance({ ...situation, limits, scheduler }, store.now());
    if (state === "failed") expect(sentence).toContain(reason.slice(0, 40));
  });

  it("names both lengths of arrays that do not pair", async () => {
    const over = { a: literal([1]), b: literal([1, 2]) };
    const { states, reasons } = await runThrough(dagOf("d", [mapOf("zip", over, {}, { mode: "zip" })]), () => null);
    expect(states).toEqual({ zip: "failed" });
    expect(reasons["zip"]).toMatch(/"a" has 1, "b" has 2/);
  });

  it("ends as the task did that should have given the array", async () => {
    const definition = dagOf("d", [
      taskOf("rows"),
      mapOf("square", { n: result("rows") }, { trigger_rule: "all_done" }),
      mapOf("late", { n: result("rows") }, { trigger_rule: "always" }),
    ]);
    const { states, reasons } = await runThrough(
      definition,
      () => null,
      () => "task_failed",
    );
    expect(states).toEqual({ rows: "failed", square: "upstream_failed", late: "upstream_failed" });
    expect(reasons["late"]).toBe('not expanded: the array comes from "rows", which is failed');
  });

  it("calls its instances by their items, of arrays and of other maps", async () => {
    const definition = dagOf("d", [
      mapOf("a", { n: literal([{ id: "x" }, { id: 7 }]) }, {}, { label: { kind: "item", name: "n", path: ["id"] } }),
      mapOf("b", { n: result("a") }, {}, { label: { kind: "array", items: [literal("no "), item("n")] } }),
    ]);
    const { run } = await runThrough(definition, (_, __, index) => index + 1);
    const { rows } = await store.db.query({
      text: "select rendered_map_index as name from task_instance where run_id = $1 order by task_id, map_index",
      values: [run.id],
    });
    expect(rows).toEqual([{ name: "x" }, { name: "7" }, { name: "no 1" }, { name: "no 2" }]);
  });
});

/** Two tasks that run for each of the rows, with their expander. */
function groupOf(more: TaskDefinition[] = [], options: { rule?: TaskDefinition["trigger_rule"] } = {}): DagDefinition {
  const member = { group: "g" };
  return dagOf(
    "d",
    [
      taskOf("rows"),
      taskOf("g", ["rows"], { kind: "expand", inputs: {}, map: { over: [{ name: "item", array: result("rows") }] } }),
      taskOf("g.load", [], { ...member, inputs: { row: item("item") } }),
      taskOf("g.check", ["g.load"], { ...member, trigger_rule: options.rule ?? "all_success" }),
      ...more,
    ],
    { groups: [{ group_id: "g" }] },
  );
}

describe("a mapped group", () => {
  it("runs each item through all of its tasks, each index for itself", async () => {
    const definition = groupOf([taskOf("end", ["g.check"], { trigger_rule: "all_done" })]);
    const { seen, states, state } = await runThrough(
      definition,
      (task, { row }, index) =>
        task === "rows" ? ["a", "b", "c"] : `${task}${index}${typeof row === "string" ? row : ""}`,
      (name) => (name === "g.load[1]" ? "task_failed" : "success"),
    );
    expect(states).toMatchObject({
      g: "success",
      "g.load[1]": "failed",
      "g.check[0]": "success",
      "g.check[1]": "upstream_failed",
      "g.check[2]": "success",
    });
    expect(seen).toMatchObject({
      "g.check[2]": { "g.load": "g.load2c" },
      end: { "g.check": ["g.check0", "g.check2"] },
    });
    expect(state).toBe("success");
  });

  it("does not let an index wait for the others", async () => {
    await store.save(groupOf());
    const run = await store.trigger("d");
    await store.settle();
    for (const { attempt_id } of await store.launch())
      await store.finish(await store.start(attempt_id), "success", [1, 2]);
    await store.settle();
    const [first] = await store.launch();
    if (!first) throw new Error("nothing was launched");
    const started = await store.start(first.attempt_id);
    await store.finish(started);
    await store.settle();
    const { rows } = await store.db.query<{ name: string }>({
      text: "select task_id || map_index as name from task_instance where run_id = $1 and state = 'queued' order by 1",
      values: [run.id],
    });
    expect(rows.map(({ name }) => name)).toContain(`g.check${started.context.map_index}`);
  });

  it.each<[Json, "success" | "task_failed", string, string]>([
    [[], "success", "skipped", "skipped"],
    ["text", "success", "failed", "upstream_failed"],
    [[1], "task_failed", "upstream_failed", "upstream_failed"],
  ])(
    "ends with its array %j (%s) before any of its tasks, whatever their rules",
    async (value, end, group, members) => {
      const { states } = await runThrough(
        groupOf([], { rule: "all_done" }),
        () => value,
        () => end,
      );
      expect(states).toMatchObject({ g: group, "g.load": members, "g.check": members });
    },
  );

  it("gives parts of its results outside", async () => {
    const definition = groupOf([
      taskOf("sum", ["g.check"], { inputs: { all: result("g.check", { each: ["n"] }) } }),
      mapOf("each", { n: result("g.check", { each: ["n"] }) }),
    ]);
    const { seen } = await runThrough(definition, (task, _, index) => (task === "rows" ? [0, 0] : { n: index * 5 }));
    expect(seen).toMatchObject({ sum: { all: [0, 5] }, "each[1]": { n: 5 } });
  });
});

describe("setups and teardowns", () => {
  const dag = (more: Partial<TaskDefinition> = {}) =>
    dagOf("d", [
      taskOf("up", [], { role: "setup" }),
      taskOf("work", ["up"]),
      taskOf("far", ["work"], { trigger_rule: "all_done" }),
      taskOf("down", ["up", "far"], { role: "teardown", trigger_rule: "all_done_setup_success", ...more }),
    ]);

  it("tears down whatever happened between, and the teardown's end does not count", async () => {
    const ends = (name: string) => (name === "work" || name === "down" ? "task_failed" : "success");
    const { states, state } = await runThrough(dag(), () => null, ends);
    expect(states).toEqual({ up: "success", work: "failed", far: "success", down: "failed" });
    expect(state).toBe("success");
  });

  it("fails the run with a teardown that says so", async () => {
    const { state } = await runThrough(
      dag({ fails_run: true }),
      () => null,
      (name) => (name === "down" ? "task_failed" : "success"),
    );
    expect(state).toBe("failed");
  });

  it.each([
    ["task_failed", "upstream_failed"],
    ["skipped", "skipped"],
  ] as const)("runs nothing below a setup that ended as %s, not even indirectly", async (end, forced) => {
    const { states, reasons } = await runThrough(
      dag(),
      () => null,
      (name) => (name === "up" ? end : "success"),
    );
    expect(states).toMatchObject({ work: forced, far: forced, down: forced });
    expect(reasons["far"]).toMatch(/because of its setups: of 1/);
  });
});
