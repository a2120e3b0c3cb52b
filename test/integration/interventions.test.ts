// What people do to runs, on the real store: at any instant, in any order, with the moves of schedulers and workers between.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TaskDefinition, TRIGGER_RULES } from "../../src/core/definition.ts";
import type { ChosenTask } from "../../src/core/intervention.ts";
import type { Json } from "../../src/core/json.ts";
import type { OutcomeKind } from "../../src/core/outcome.ts";
import type { MarkRequest } from "../../src/core/plan-mark.ts";
import { claimStops, recordStopped } from "../../src/store/attempt-stop.ts";
import { recordHeartbeat } from "../../src/store/heartbeats.ts";
import { intervene, type Intervention } from "../../src/store/intervene.ts";
import { restartCleared } from "../../src/store/restart-cleared.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

interface Run {
  id: number;
  dag_id: string;
  dag_run_id: string;
}
const ALONE = { upstream: false, downstream: false };
const BELOW = { upstream: false, downstream: true };

let made = 0;
async function begin(tasks: ReturnType<typeof taskOf>[]): Promise<Run> {
  const dag_id = `dag${(made += 1)}`;
  const groups = [...new Set(tasks.flatMap(({ group }) => (group === undefined ? [] : [group])))];
  await store.save(dagOf(dag_id, tasks, { groups: groups.map((group_id) => ({ group_id })) }), dag_id);
  return { dag_id, ...(await store.trigger(dag_id)) };
}

function act(run: Run, intervention: Intervention, more: { past?: boolean; future?: boolean; dry_run?: boolean } = {}) {
  const { dag_id, dag_run_id } = run;
  const event = { event: "test", dag_id, owner: "ada" };
  const call = {
    dag_id,
    dag_run_id,
    past: false,
    future: false,
    dry_run: false,
    event,
    check: () => {},
    intervention,
    ...more,
  };
  return intervene(store.db, store.rules, call, store.now());
}

const choose = (ids: string[]): ChosenTask[] => ids.map((task_id) => ({ task_id, map_index: null }));
const clear = (
  ids: string[] | null,
  spread = BELOW,
  more: { only_failed?: boolean; newest?: boolean } = {},
): Intervention => ({
  kind: "clear",
  newest: more.newest ?? false,
  request: {
    tasks: ids && choose(ids),
    ...spread,
    only_failed: more.only_failed ?? false,
    only_running: false,
    reason: "cleared by ada",
  },
});
const mark = (ids: string[], as: MarkRequest["as"], spread = ALONE): Intervention => ({
  kind: "mark",
  request: { tasks: choose(ids), as, ...spread, reason: `${as} by ada` },
});

async function restartAll(): Promise<void> {
  while ((await restartCleared(store.db, store.rules.versions, store.now())) !== null);
}

/** What the counters, the flags and the run say, against what they must be. */
async function findFaults(run: Run): Promise<unknown[]> {
  const { rows } = await store.db.query({
    text: `
      with edge as (
        select t ->> 'task_id' as task_id, u as upstream, t ->> 'group' is not null and t ->> 'group' = (
            select o ->> 'group' from jsonb_array_elements(v.definition -> 'tasks') o where o ->> 'task_id' = u) as is_same
        from dag_run r join dag_version v on v.id = r.version_id,
          jsonb_array_elements(v.definition -> 'tasks') t, jsonb_array_elements_text(t -> 'upstream') u where r.id = $1),
      truth as (
        select i.id, count(u.id) as total, count(*) filter (where u.counted and u.state = 'success') as success, count(*) filter (where u.counted and u.state = 'failed') as failed,
          count(*) filter (where u.counted and u.state = 'upstream_failed') as upstream_failed, count(*) filter (where u.counted and u.state = 'skipped') as skipped,
          count(*) filter (where u.counted and u.state = 'removed') as removed
        from task_instance i join edge e using (task_id) join task_instance u on u.run_id = $1 and u.task_id = e.upstream
          and (u.map_index < 0 or u.state is distinct from 'removed') and (not is_same or u.map_index = i.map_index)
        where i.run_id = $1 group by i.id)
      select i.task_id from task_instance i left join truth using (id) where i.run_id = $1 and i.state is distinct from 'removed'
        and (i.upstream_total, i.upstream_success, i.upstream_failed, i.upstream_upstream_failed, i.upstream_skipped, i.upstream_removed)
        is distinct from (coalesce(truth.total, 0), coalesce(truth.success, 0), coalesce(truth.failed, 0), coalesce(truth.upstream_failed, 0), coalesce(truth.skipped, 0), coalesce(truth.removed, 0))
      union all
      -- A task has an unexpanded instance or others, never both and never none.
      select task_id from task_instance where run_id = $1 group by task_id
        having (count(*) filter (where map_index < 0) > 0) = (count(*) filter (where map_index >= 0 and state is distinct from 'removed') > 0)
      union all
      select 'unfinished' from dag_run r where id = $1 and unfinished <> (
        select count(*) from task_instance where run_id = r.id
          and not (counted and coalesce(state, '') in ('success', 'failed', 'upstream_failed', 'skipped', 'removed')))`,
    values: [run.id],
  });
  return rows;
}

const CHAIN = () => [taskOf("a"), taskOf("b", ["a"]), taskOf("c", ["b"])];

describe("clearing", () => {
  it("executes what failed and all below it again, with its tries anew", async () => {
    const run = await begin([taskOf("a"), taskOf("b", ["a"], { retries: 1 }), taskOf("c", ["b"])]);
    await store.workThrough(({ context }) => ({ kind: context.task_id === "b" ? "task_failed" : "success" }));
    expect(await store.states(run.id)).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
    expect(await store.runState(run.id)).toBe("failed");
    const preview = await act(run, clear(["b"]), { dry_run: true });
    expect(await store.states(run.id)).toEqual({ a: "success", b: "failed", c: "upstream_failed" });
    expect(await act(run, clear(["b"]))).toEqual(preview);
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
    expect(await findFaults(run)).toEqual([]);
  });

  it("ends a running attempt first: its successor begins when it has said that it ended", async () => {
    const run = await begin(CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(run, clear(["a"]));
    expect(await store.states(run.id)).toMatchObject({ a: "restarting" });
    expect(await recordHeartbeat(store.db, attempt, store.now())).toEqual({ stop: "cleared by ada" });
    await restartAll();
    await store.settle();
    expect(await store.launch()).toEqual([]);
    // What it returns within its grace is not the cleared instance's result.
    await store.finish(attempt, "success", "old");
    const { rows } = await store.db.query({ text: "select value from task_result" });
    expect(rows).toEqual(expect.not.arrayContaining([{ value: "old" }]));
    await restartAll();
    await store.settle();
    const [next] = await store.launch();
    expect(next).toMatchObject({ task_id: "a", epoch: 2 });
    await store.finish(await store.start(next?.attempt_id ?? ""));
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });

  it("moves a run to the newest version: added tasks appear, vanished ones are removed", async () => {
    const run = await begin(CHAIN());
    await store.workThrough();
    await store.save(dagOf(run.dag_id, [taskOf("a"), taskOf("new", ["a"]), taskOf("c", ["new"])]), "newer");
    const [plan] = await act(run, clear(["new"], BELOW, { newest: true }));
    expect(plan?.move?.added).toEqual(["new"]);
    const worked = await store.workThrough();
    expect(worked.map(({ context, bundle }) => [context.task_id, bundle.hash])).toEqual([
      ["new", "newer"],
      ["c", "newer"],
    ]);
    expect(await store.states(run.id)).toEqual({ a: "success", b: "removed", c: "success", new: "success" });
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });

  it("reaches earlier and later runs", async () => {
    const first = await begin([taskOf("a")]);
    await store.workThrough();
    store.pass(60);
    const second = { dag_id: first.dag_id, ...(await store.trigger(first.dag_id)) };
    await store.workThrough();
    const past = await act(second, clear(["a"]), { past: true, dry_run: true });
    expect(past.map(({ run }) => run.id)).toEqual([first.id, second.id]);
    expect(await act(second, clear(["a"]), { future: true, dry_run: true })).toHaveLength(1);
  });
});

describe("clearing a map", () => {
  /** By name, such as "m[1]": state and epoch of every instance. */
  async function instances(run: Run): Promise<Record<string, string>> {
    const { rows } = await store.db.query<{ name: string; state: string }>({
      text: `select case when map_index < 0 then task_id else task_id || '[' || map_index || ']' end as name,
        coalesce(state, 'none') || ' ' || epoch as state from task_instance where run_id = $1 order by task_id, map_index`,
      values: [run.id],
    });
    return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
  }
  const only = (run: Record<string, string>, prefix: string) =>
    Object.fromEntries(Object.entries(run).filter(([name]) => name.startsWith(prefix)));
  const work = (rows: number[]) =>
    store.workThrough(({ context }) => ({ kind: "success", result: context.task_id === "rows" ? rows : 1 }));

  it.each<[string, number[], Record<string, string>]>([
    ["fewer", [1], { "m[0]": "success 2", "m[1]": "removed 1" }],
    ["as many", [5, 6], { "m[0]": "success 2", "m[1]": "success 2" }],
    ["more", [1, 2, 3], { "m[0]": "success 2", "m[1]": "success 2", "m[2]": "success 1" }],
    ["no", [], { m: "skipped 0", "m[0]": "removed 1", "m[1]": "removed 1" }],
  ])("executes it over %s items, its instances with their earlier attempts", async (_, rows, expected) => {
    const run = await begin(mappedTasks([]));
    await work([1, 2]);
    const preview = await act(run, clear(["rows"]), { dry_run: true });
    expect(await act(run, clear(["rows"]))).toEqual(preview);
    expect(preview[0]?.changes).toContainEqual(
      expect.objectContaining({ task_id: "g.b", map_index: 1, to: "removed" }),
    );
    expect(only(await instances(run), "m")).toEqual({ m: "none 0", "m[0]": "removed 1", "m[1]": "removed 1" });
    expect(await findFaults(run)).toEqual([]);
    await work(rows);
    expect(only(await instances(run), "m")).toEqual(expected);
    expect(await findFaults(run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
  });

  it("takes a group as one, with any task of it", async () => {
    const run = await begin(mappedTasks([]));
    await work([1, 2]);
    await act(run, clear(["g.b"], ALONE));
    const group = { "g.a[0]": "removed 1", "g.a[1]": "removed 1", "g.b[0]": "removed 1", "g.b[1]": "removed 1" };
    expect(only(await instances(run), "g")).toEqual({ g: "none 0", "g.a": "none 0", "g.b": "none 0", ...group });
    const worked = await work([]);
    expect(worked.map(({ context }) => context.task_id).toSorted()).toEqual(["g.a", "g.a", "g.b", "g.b"]);
  });

  it("keeps it for one index, in a group with what is below at that index", async () => {
    const run = await begin(mappedTasks([]));
    await work([1, 2]);
    const request = { ...BELOW, tasks: [{ task_id: "g.a", map_index: 1 }], only_failed: false, only_running: false };
    await act(run, { kind: "clear", newest: false, request: { ...request, reason: "cleared by ada" } });
    const worked = await work([]);
    expect(worked.map(({ context: { task_id, map_index } }) => [task_id, map_index])).toEqual([
      ["g.a", 1],
      ["g.b", 1],
      ["end", -1],
    ]);
  });

  it("launches none again whose old worker may still run", async () => {
    const run = await begin([taskOf("rows"), ...mappedTasks([]).filter(({ task_id }) => task_id === "m")]);
    await store.settle();
    const [first] = await store.launch();
    await store.finish(await store.start(first?.attempt_id ?? ""), "success", [1, 2]);
    await store.settle();
    const [lost, told] = await Promise.all((await store.launch()).map(({ attempt_id }) => store.start(attempt_id)));
    if (!lost || !told) throw new Error("two were to start");
    await act(run, clear(["m"], ALONE));
    // Its end is not seen before it is wanted again, and the other's only after.
    const claim = { executor: "local", holder: "test", limit: 10, leaseMs: 0 };
    const stops = await claimStops(store.db, store.rules, claim, store.now());
    await recordStopped(
      store.db,
      store.rules,
      stops.filter(({ attempt_id }) => attempt_id === lost.attempt_id),
      store.now(),
    );
    await store.settle();
    expect(Object.values(only(await instances(run), "m"))).toEqual(["restarting 1", "restarting 1"]);
    await store.finish(told).catch(() => {});
    await restartAll();
    const [again, ...others] = await work([]);
    expect([again?.context.map_index, others]).toEqual([told.context.map_index, []]);
    store.pass(400);
    await restartAll();
    expect((await work([])).map(({ context }) => context.map_index)).toEqual([lost.context.map_index]);
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });
});

describe("marking", () => {
  it("counts for what waits below, and ends the attempt", async () => {
    const run = await begin(CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(run, mark(["a"], "success"));
    await store.settle();
    expect(await store.states(run.id)).toEqual({ a: "success", b: "queued", c: null });
    expect(await recordHeartbeat(store.db, attempt, store.now())).toEqual({ stop: "success by ada" });
    await expect(store.finish(attempt, "task_failed")).rejects.toMatchObject({ code: "attempt_stale" });
    expect(await store.states(run.id)).toMatchObject({ a: "success" });
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });

  it("judges a finished run again, and runs what a failure had kept from running", async () => {
    const run = await begin(CHAIN());
    await store.workThrough(({ context }) => ({ kind: context.task_id === "b" ? "task_failed" : "success" }));
    await act(run, mark(["b"], "success"));
    expect(await store.runState(run.id)).toBe("queued");
    await store.workThrough();
    expect(await store.states(run.id)).toEqual({ a: "success", b: "success", c: "success" });
    await act(run, mark(["c"], "failed"));
    expect(await store.runState(run.id)).toBe("failed");
    await act(run, mark(["c"], "skipped"));
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });

  it("ends a whole run, whatever its leaves are", async () => {
    const run = await begin(CHAIN());
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    await act(run, { kind: "mark_run", state: "failed", reason: "cancelled by ada" });
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
    await act(run, clear(null));
    await store.workThrough();
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(run)).toEqual([]);
  });

  it("ends an attempt that was never launched at once", async () => {
    const run = await begin(CHAIN());
    await store.settle();
    await act(run, mark(["a"], "cancelled"));
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

const MOVES = ["settle", "launch", "start", "finish", "restart", "work"] as const;
const ACTS = [
  "clear",
  "clear_index",
  "clear_failed",
  "success",
  "failed",
  "skipped",
  "cancelled",
  "fail_run",
  "succeed_run",
] as const;

describe("at any instant, in any order", () => {
  it("interventions, ends and advances run into each other, and nothing is lost", async () => {
    const middle = Array.from({ length: 20 }, (_, index) => taskOf(`m${index}`, ["a"]));
    const ids = middle.map((task) => task.task_id);
    const run = await begin([taskOf("a"), ...middle, taskOf("z", ids, { trigger_rule: "all_done" })]);
    await store.settle();
    const [first] = await store.launch();
    await store.finish(await store.start(first?.attempt_id ?? ""));
    await store.settle();
    const started = await Promise.all((await store.launch()).map(({ attempt_id }) => store.start(attempt_id)));
    await Promise.all([
      ...started.map((attempt) => store.finish(attempt).catch(() => {})),
      ...ids.slice(0, 6).map((id) => act(run, clear([id], ALONE))),
      ...ids.slice(6, 9).map((id) => act(run, mark([id], "failed"))),
      ...Array.from({ length: 10 }, () => advanceNextRun(store.db, store.rules.versions, store.now())),
      ...Array.from({ length: 4 }, () => store.settle()),
    ]);
    await restartAll();
    await store.workThrough();
    expect(await findFaults(run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
    const { rows } = await store.db.query({
      text: "select count(*) from attempt a join task_instance t on t.id = a.task_instance_id where t.run_id = $1 and outcome is null",
      values: [run.id],
    });
    expect(rows).toEqual([{ count: 0 }]);
  });

  const rule = fc.constantFrom(...TRIGGER_RULES);
  const end = fc.constantFrom("success" as const, "task_failed" as const, "skipped" as const);
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom(...MOVES), at: fc.nat(7) }),
    fc.record({ do: fc.constantFrom(...ACTS), at: fc.nat(7) }),
  );

  it("counters are those of a count from scratch, and every run comes to its end", async () => {
    const kind = fc.constantFrom("function" as const, "function" as const, "empty" as const);
    const node = fc.record({ upstream: fc.array(fc.nat(7), { maxLength: 3 }), rule, kind, end });
    await fc.assert(
      fc.asyncProperty(
        fc.array(node, { minLength: 2, maxLength: 8 }),
        fc.array(step, { maxLength: 24 }),
        async (nodes, steps) => {
          const tasks = nodes.map(({ upstream, rule: trigger_rule, kind: ofTask }, index) => {
            const before = [...new Set(upstream.filter((other) => other < index))].map((other) => `t${other}`);
            return taskOf(`t${index}`, before, { trigger_rule, kind: ofTask });
          });
          await play(tasks, steps, (taskId) => ({ kind: nodes[Number(taskId.slice(1))]?.end ?? "success" }));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("so they are with maps and a mapped group, whose arrays differ each time", async () => {
    const mostly = fc.oneof({ weight: 3, arbitrary: fc.constant("success" as const) }, end);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant("all_success" as const) }, rule), {
          minLength: 6,
          maxLength: 6,
        }),
        fc.array(mostly, { minLength: 8, maxLength: 8 }),
        fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
        fc.array(step, { maxLength: 30 }),
        async (rules, ends, lengths, steps) => {
          let [ended, listed] = [0, 0];
          await play(mappedTasks(rules), steps, (taskId) => {
            if (taskId !== "rows") return { kind: ends[(ended += 1) % ends.length] ?? "success" };
            const length = lengths[(listed += 1) % lengths.length] ?? 0;
            return { kind: "success", result: Array.from({ length }, (_, index) => index) };
          });
        },
      ),
      { numRuns: 80 },
    );
  });
});

interface Step {
  do: (typeof MOVES)[number] | (typeof ACTS)[number];
  at: number;
}

/** A map, a map over its results, and a group of two, all over the same rows. */
function mappedTasks(rules: readonly (typeof TRIGGER_RULES)[number][]): TaskDefinition[] {
  const over = (taskId: string) => ({
    over: [{ name: "item", array: { kind: "result" as const, task_id: taskId, path: [] } }],
  });
  const inputs = { item: { kind: "item" as const, name: "item", path: [] } };
  return [
    taskOf("rows"),
    taskOf("m", ["rows"], { inputs, map: over("rows") }),
    taskOf("n", ["m"], { inputs, map: over("m") }),
    taskOf("g", ["rows"], { kind: "expand", inputs: {}, map: over("rows") }),
    taskOf("g.a", [], { inputs, group: "g" }),
    taskOf("g.b", ["g.a"], { inputs: {}, group: "g" }),
    taskOf("end", ["n", "g.b"], { inputs: {} }),
  ].map((task, index) => (index === 0 ? task : { ...task, trigger_rule: rules[index - 1] ?? task.trigger_rule }));
}

/** Every step, with a look for faults after each, then all that is left until the run has ended. */
async function play(
  tasks: TaskDefinition[],
  steps: readonly Step[],
  endOf: (taskId: string) => { kind: OutcomeKind; result?: Json },
): Promise<void> {
  const run = await begin(tasks);
  const launched: { attempt_id: string }[] = [];
  const started: Awaited<ReturnType<StoreBundle["start"]>>[] = [];
  /** Refused when someone ended it meanwhile. */
  const startIfWanted = async (attemptId: string) => {
    const one = await store.start(attemptId).catch(() => null);
    if (one) started.push(one);
  };
  const finish = async (one: (typeof started)[number]) => {
    const { kind, result } = endOf(one.context.task_id);
    await store.finish(one, kind, result).catch(() => {});
  };
  for (const { do: what, at } of steps) {
    const id = tasks[at % tasks.length]?.task_id ?? "";
    switch (what) {
      case "settle":
        await store.settle();
        break;
      case "launch":
        launched.push(...(await store.launch()));
        break;
      case "start": {
        const next = launched.shift();
        if (next) await startIfWanted(next.attempt_id);
        break;
      }
      case "finish": {
        const next = started.shift();
        if (next) await finish(next);
        break;
      }
      case "restart":
        await restartAll();
        break;
      case "work":
        await store.settle();
        launched.push(...(await store.launch()));
        for (const one of launched.splice(0)) await startIfWanted(one.attempt_id);
        for (const one of started.splice(0)) await finish(one);
        await store.settle();
        break;
      case "clear":
        await act(run, clear([id], at % 2 === 0 ? BELOW : ALONE));
        break;
      case "clear_index": {
        const one = clear([], at < 4 ? BELOW : ALONE);
        if (one.kind === "clear") one.request.tasks = [{ task_id: id, map_index: at % 2 }];
        await act(run, one);
        break;
      }
      case "clear_failed":
        await act(run, clear([id], BELOW, { only_failed: true }));
        break;
      case "fail_run":
      case "succeed_run":
        await act(run, { kind: "mark_run", state: what === "fail_run" ? "failed" : "success", reason: "by ada" });
        break;
      case "success":
      case "failed":
      case "skipped":
      case "cancelled":
        await act(run, mark([id], what));
    }
    expect(await findFaults(run)).toEqual([]);
  }
  for (const one of launched) await startIfWanted(one.attempt_id);
  for (const one of started) await finish(one);
  // What was launched and then unwanted ends by its executor, which is not here.
  const claim = { executor: "local", holder: "test", limit: 100, leaseMs: 0 };
  for (const stop of await claimStops(store.db, store.rules, claim, store.now())) {
    await store.finish(stop, "deleted").catch(() => {});
  }
  await restartAll();
  await store.workThrough(({ context }) => endOf(context.task_id));
  expect(await findFaults(run)).toEqual([]);
  expect(["success", "failed"]).toContain(await store.runState(run.id));
  const { rows } = await store.db.query({ text: "select count(*) from attempt where outcome is null" });
  expect(rows).toEqual([{ count: 0 }]);
}
