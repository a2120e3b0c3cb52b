import { describe, expect, it, test } from "vitest";
import fc from "fast-check";
import { describeCondition, describeWaiting, findMissing, holds, listAssets } from "./asset-condition.ts";
import type { AssetCondition } from "./definition.ts";
import { planAssetRuns } from "./plan-asset-runs.ts";

const on = (name: string): AssetCondition => ({ kind: "asset", asset: { name, uri: name } });
const any = (...of: (string | AssetCondition)[]): AssetCondition => ({ kind: "any", of: of.map(toCondition) });
const all = (...of: (string | AssetCondition)[]): AssetCondition => ({ kind: "all", of: of.map(toCondition) });
const toCondition = (part: string | AssetCondition) => (typeof part === "string" ? on(part) : part);

describe("a condition", () => {
  it.each<[AssetCondition, string[], boolean]>([
    [on("a"), [], false],
    [on("a"), ["a"], true],
    [on("a"), ["b"], false],
    [any("a", "b"), ["b"], true],
    [all("a", "b"), ["b"], false],
    [all("a", "b"), ["b", "a"], true],
    [any("a", all("b", "c")), ["b"], false],
    [any("a", all("b", "c")), ["c", "b"], true],
    [all(any("a", "b"), "c"), ["b", "c"], true],
    [all(any("a", "b"), "c"), ["a", "b"], false],
  ])("%j over %j is %s", (condition, seen, expected) => {
    expect(holds(condition, new Set(seen))).toBe(expected);
  });

  it.each<[AssetCondition, string[], string | null]>([
    [on("a"), [], '"a"'],
    [all("a", "b"), ["a"], '"b"'],
    [all("a", any("b", "c"), "d"), ["d"], '"a" and ("b" or "c")'],
    [any("a", all("b", "c")), ["b"], '"a" or "c"'],
    [any(all("a", "b"), all("c", "d")), [], '("a" and "b") or ("c" and "d")'],
    [any(all("a")), [], '"a"'],
    [any("a", "b"), ["b"], null],
  ])("%j after %j still waits for %s", (condition, seen, expected) => {
    const missing = findMissing(condition, new Set(seen));
    expect(missing && describeCondition(missing)).toBe(expected);
  });

  it("says what it waits for, and what it has", () => {
    expect(describeWaiting(all("a", "b"), ["a"])).toBe('a run waits for an event of "b"; events of "a" wait for it');
    expect(describeWaiting(on("a"), [])).toBe('a run waits for an event of "a"');
    expect(describeWaiting(on("a"), ["a"])).toContain("next pass");
  });

  it("names each asset once", () => {
    expect(listAssets(any("a", all("b", "a"))).map((asset) => asset.name)).toEqual(["a", "b"]);
  });
});

const NAMES = ["a", "b", "c", "d"] as const;
const { condition } = fc.letrec<{ condition: AssetCondition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...NAMES).map(on),
    fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((of) => any(...of)),
    fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((of) => all(...of)),
  ),
}));

test("what is missing holds exactly when the rest of the condition would", () => {
  const names = fc.uniqueArray(fc.constantFrom(...NAMES)).map((list) => new Set<string>(list));
  fc.assert(
    fc.property(condition, names, names, (asked, seen, later) => {
      const missing = findMissing(asked, seen);
      const reached = missing === null || holds(missing, new Set([...seen, ...later]));
      expect(reached).toBe(holds(asked, new Set([...seen, ...later])));
    }),
  );
});

test("events in any order: each is consumed once by each DAG that waits for its asset, or is still pending", () => {
  // null: a pass of the scheduler.
  const steps = fc.array(fc.oneof(fc.constantFrom(...NAMES), fc.constant(null)), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(condition, { minLength: 1, maxLength: 4 }), steps, (conditions, order) => {
      const dags = conditions.map((asked, index) => ({
        dag_id: `dag${index}`,
        condition: asked,
        names: new Set(listAssets(asked).map((asset) => asset.name)),
        waiting: [] as { event: number; name: string }[],
        runs: [] as number[][],
      }));
      const pass = () => {
        const planned = planAssetRuns(dags.map((dag) => ({ ...dag, pending: dag.waiting.map(({ name }) => name) })));
        for (const dag of dags.filter(({ dag_id }) => planned.some((one) => one.dag_id === dag_id))) {
          dag.runs.push(dag.waiting.map(({ event }) => event));
          dag.waiting = [];
        }
      };
      for (const [event, name] of order.entries()) {
        if (name === null) pass();
        else for (const dag of dags) if (dag.names.has(name)) dag.waiting.push({ event, name });
      }
      pass();
      for (const dag of dags) {
        const relevant = order.flatMap((name, event) => (name !== null && dag.names.has(name) ? [event] : []));
        const left = dag.waiting.map(({ event }) => event);
        expect([...dag.runs.flat(), ...left]).toEqual(relevant);
        // The model: a run for each time the condition came to hold between two passes, never an empty one.
        expect(dag.runs.every((events) => events.length > 0)).toBe(true);
        for (const events of dag.runs) {
          expect(holds(dag.condition, new Set(events.map((event) => order[event] ?? "")))).toBe(true);
        }
        expect(holds(dag.condition, new Set(dag.waiting.map(({ name }) => name)))).toBe(false);
      }
    }),
  );
});
