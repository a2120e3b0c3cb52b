// Runs that move to a version of their DAG in which tasks have become mapped, or are no longer: nobody's old instances stay in
// the way, nothing that was done is lost, and counters are those of a count from scratch.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import { claimStops } from "../../src/store/attempt-stop.ts";
import {
  act,
  ALONE,
  begin,
  BELOW,
  clear,
  findFaults,
  publish,
  restartAll,
  type Run,
} from "../support/interventions.ts";
import { openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

const OVER_ROWS = { over: [{ name: "item", array: { kind: "result" as const, task_id: "rows", path: [] } }] };

interface Variant {
  m: "plain" | "mapped" | "absent";
  /** Of the tasks g.a and g.b. */
  group: "plain" | "mapped";
  /** A third task of the group. */
  c: boolean;
  b: boolean;
  /** Whether g.a waits for m, and end for g.a. */
  edge: boolean;
}

function tasksOf({ m, group, b, c, edge }: Variant): TaskDefinition[] {
  const isMapped = group === "mapped";
  const upstream = edge && m !== "absent" ? ["m"] : [];
  return [
    taskOf("rows"),
    ...(m === "absent" ? [] : [taskOf("m", ["rows"], m === "mapped" ? { inputs: {}, map: OVER_ROWS } : {})]),
    ...(isMapped ? [taskOf("g", ["rows"], { kind: "expand", inputs: {}, map: OVER_ROWS })] : []),
    taskOf("g.a", isMapped ? upstream : ["rows", ...upstream], { inputs: {}, group: "g" }),
    ...(b ? [taskOf("g.b", ["g.a"], { inputs: {}, group: "g" })] : []),
    ...(c ? [taskOf("g.c", ["g.a"], { inputs: {}, group: "g" })] : []),
    taskOf("end", [...(m === "absent" ? [] : ["m"]), ...(edge ? ["g.a"] : []), ...(b ? ["g.b"] : [])], { inputs: {} }),
  ];
}
const PLAIN: Variant = { m: "plain", group: "plain", b: true, c: false, edge: false };

/** By name, such as "m[1]": state and number of attempts of every instance. */
async function instances(run: Run, prefix = ""): Promise<Record<string, string>> {
  const { rows } = await store.db.query<{ name: string; state: string }>({
    text: `select case when map_index < 0 then task_id else task_id || '[' || map_index || ']' end as name,
      coalesce(state, 'none') || ' ' || (select count(*) from attempt a where a.task_instance_id = t.id) as state
      from task_instance t where run_id = $1 and starts_with(task_id, $2) order by task_id, map_index`,
    values: [run.id, prefix],
  });
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}
const work = (rows = [1, 2]) =>
  store.workThrough(({ context }) => ({ kind: "success", result: context.task_id === "rows" ? rows : 1 }));
const toNewest = (ids: string[], spread = ALONE) => clear(ids, spread, { newest: true });

describe("a run at the newest version of its DAG", () => {
  it.each<[string, Partial<Variant>, Partial<Variant>, string, Record<string, string>]>([
    [
      "a map that is one task now",
      { m: "mapped" },
      {},
      "m",
      { m: "success 1", "m[0]": "removed 1", "m[1]": "removed 1" },
    ],
    [
      "a task that is a map now",
      {},
      { m: "mapped" },
      "m",
      { "m[0]": "success 1", "m[1]": "success 1", "m[2]": "removed 1" },
    ],
    [
      "a group that is mapped now",
      { b: false },
      { group: "mapped", b: false },
      "g",
      { g: "success 0", "g.a[0]": "success 1", "g.a[1]": "success 1", "g.a[2]": "removed 1" },
    ],
    [
      "a group that is mapped no longer",
      { group: "mapped", b: false },
      { b: false },
      "g",
      { g: "removed 0", "g.a": "success 1", "g.a[0]": "removed 1", "g.a[1]": "removed 1" },
    ],
    [
      "a task that comes into a mapped group",
      { group: "mapped", b: false },
      { group: "mapped", b: false, c: true },
      "g",
      { g: "success 0", "g.a[0]": "success 1", "g.a[1]": "success 1", "g.c[0]": "success 1", "g.c[1]": "success 1" },
    ],
    [
      "a task that leaves a mapped group",
      { group: "mapped" },
      { group: "mapped", b: false },
      "g",
      { g: "success 0", "g.a[0]": "success 1", "g.a[1]": "success 1", "g.b[0]": "removed 1", "g.b[1]": "removed 1" },
    ],
  ])("has %s as it is there", async (_, before, after, prefix, expected) => {
    const run = await begin(store, tasksOf({ ...PLAIN, ...before }));
    await work();
    await publish(store, run, tasksOf({ ...PLAIN, ...after }));
    const preview = await act(store, run, toNewest(["end"]), { dry_run: true });
    expect(await act(store, run, toNewest(["end"]))).toEqual(preview);
    expect(await findFaults(store, run)).toEqual([]);
    await work();
    expect(await instances(run, prefix)).toEqual(expected);
    expect(await findFaults(store, run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
    expect((await instances(run, "end"))["end"]).toBe("success 2");
  });

  it("expands a group again that had nothing to run over when a task comes into it", async () => {
    const run = await begin(store, tasksOf({ ...PLAIN, group: "mapped" }));
    await work([]);
    expect(await instances(run, "g")).toEqual({ g: "skipped 0", "g.a": "skipped 0", "g.b": "skipped 0" });
    await publish(store, run, tasksOf({ ...PLAIN, group: "mapped", c: true }));
    await act(store, run, toNewest(["rows"]));
    await work([7]);
    const each = { "g.a[0]": "success 1", "g.b[0]": "success 1", "g.c[0]": "success 1" };
    expect(await instances(run, "g")).toEqual({ g: "success 0", ...each });
    expect(await store.runState(run.id)).toBe("success");
  });

  it("ends what runs before the task begins anew as what it is now", async () => {
    const run = await begin(store, tasksOf(PLAIN));
    await store.settle();
    const [first] = await store.launch();
    await store.finish(await store.start(first?.attempt_id ?? ""), "success", [1, 2]);
    await store.settle();
    await Promise.all((await store.launch()).map(({ attempt_id }) => store.start(attempt_id)));
    await publish(store, run, tasksOf({ ...PLAIN, m: "mapped" }));
    const [plan] = await act(store, run, toNewest(["end"]));
    expect(plan?.changes.map(({ task_id, from, to }) => [task_id, from, to])).toEqual([["m", "running", "restarting"]]);
    await store.settle();
    expect(await instances(run, "m")).toEqual({ m: "restarting 1" });
  });

  const variant: fc.Arbitrary<Variant> = fc.record({
    m: fc.constantFrom("plain", "mapped", "absent"),
    group: fc.constantFrom("plain", "mapped"),
    b: fc.boolean(),
    c: fc.boolean(),
    edge: fc.boolean(),
  });
  const step = fc.record({
    to: variant,
    rounds: fc.nat(4),
    finished: fc.nat(4),
    cleared: fc.subarray(["rows", "m", "g.a", "g.b", "end"], { minLength: 1 }),
    below: fc.boolean(),
    length: fc.nat(3),
    fails: fc.nat(5),
  });

  it("counts as from scratch whatever changes on the way, and comes to its end", async () => {
    await fc.assert(
      fc.asyncProperty(variant, fc.array(step, { minLength: 1, maxLength: 4 }), async (first, steps) => {
        const run = await begin(store, tasksOf(first));
        const started: Awaited<ReturnType<StoreBundle["start"]>>[] = [];
        const startAll = async () => {
          await store.settle();
          for (const { attempt_id } of await store.launch()) started.push(await store.start(attempt_id));
        };
        for (const { to, rounds, finished, cleared, below, length, fails } of steps) {
          let ended = 0;
          const resultOf = (taskId: string) => (taskId === "rows" ? Array.from({ length }, (_, index) => index) : 1);
          for (let round = 0; round < rounds; round += 1) {
            await startAll();
            for (const one of started.splice(0, round === rounds - 1 ? finished : started.length)) {
              const kind = (ended += 1) === fails ? "task_failed" : "success";
              // Refused when it was cleared meanwhile.
              await store.finish(one, kind, resultOf(one.context.task_id)).catch(() => {});
            }
          }
          await publish(store, run, tasksOf(to));
          await act(store, run, toNewest(cleared, below ? BELOW : ALONE));
          expect(await findFaults(store, run)).toEqual([]);
        }
        for (const one of started) await store.finish(one).catch(() => {});
        const claim = { executor: "local", holder: "test", limit: 100, leaseMs: 0 };
        for (const stop of await claimStops(store.db, store.rules, claim, store.now())) {
          await store.finish(stop, "deleted").catch(() => {});
        }
        await restartAll(store);
        await work();
        expect(await findFaults(store, run)).toEqual([]);
        expect(["success", "failed"]).toContain(await store.runState(run.id));
        const { rows } = await store.db.query({ text: "select reason from dag_run where id = $1", values: [run.id] });
        expect(JSON.stringify(rows)).not.toContain("deadlocked");
      }),
      { numRuns: 20 },
    );
  }, 180_000);
});
