// Clearing what is mapped: all of it, over arrays that may have changed, or one index.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimStops, recordStopped } from "../../src/store/attempt-stop.ts";
import {
  act,
  ALONE,
  begin,
  BELOW,
  clear,
  findFaults,
  mappedTasks,
  restartAll,
  type Run,
} from "../support/interventions.ts";
import { openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

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
    const run = await begin(store, mappedTasks([]));
    await work([1, 2]);
    const preview = await act(store, run, clear(["rows"]), { dry_run: true });
    expect(await act(store, run, clear(["rows"]))).toEqual(preview);
    expect(preview[0]?.changes).toContainEqual(
      expect.objectContaining({ task_id: "g.b", map_index: 1, to: "removed" }),
    );
    expect(only(await instances(run), "m")).toEqual({ m: "none 0", "m[0]": "removed 1", "m[1]": "removed 1" });
    expect(await findFaults(store, run)).toEqual([]);
    await work(rows);
    expect(only(await instances(run), "m")).toEqual(expected);
    expect(await findFaults(store, run)).toEqual([]);
    expect(await store.runState(run.id)).toBe("success");
  });

  it("takes a group as one, with any task of it", async () => {
    const run = await begin(store, mappedTasks([]));
    await work([1, 2]);
    await act(store, run, clear(["g.b"], ALONE));
    const group = { "g.a[0]": "removed 1", "g.a[1]": "removed 1", "g.b[0]": "removed 1", "g.b[1]": "removed 1" };
    expect(only(await instances(run), "g")).toEqual({ g: "none 0", "g.a": "none 0", "g.b": "none 0", ...group });
    const worked = await work([]);
    expect(worked.map(({ context }) => context.task_id).toSorted()).toEqual(["g.a", "g.a", "g.b", "g.b"]);
  });

  it("keeps it for one index, in a group with what is below at that index", async () => {
    const run = await begin(store, mappedTasks([]));
    await work([1, 2]);
    const request = { ...BELOW, tasks: [{ task_id: "g.a", map_index: 1 }], only_failed: false, only_running: false };
    await act(store, run, { kind: "clear", newest: false, request: { ...request, reason: "cleared by ada" } });
    const worked = await work([]);
    expect(worked.map(({ context: { task_id, map_index } }) => [task_id, map_index])).toEqual([
      ["g.a", 1],
      ["g.b", 1],
      ["end", -1],
    ]);
  });

  it("launches none again whose old worker may still run", async () => {
    const run = await begin(store, [taskOf("rows"), ...mappedTasks([]).filter(({ task_id }) => task_id === "m")]);
    await store.settle();
    const [first] = await store.launch();
    await store.finish(await store.start(first?.attempt_id ?? ""), "success", [1, 2]);
    await store.settle();
    const [lost, told] = await Promise.all((await store.launch()).map(({ attempt_id }) => store.start(attempt_id)));
    if (!lost || !told) throw new Error("two were to start");
    await act(store, run, clear(["m"], ALONE));
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
    await restartAll(store);
    const [again, ...others] = await work([]);
    expect([again?.context.map_index, others]).toEqual([told.context.map_index, []]);
    store.pass(400);
    await restartAll(store);
    expect((await work([])).map(({ context }) => context.map_index)).toEqual([lost.context.map_index]);
    expect(await store.runState(run.id)).toBe("success");
    expect(await findFaults(store, run)).toEqual([]);
  });
});
