import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import { findBranchFaults, findDecisionFault, planDecidedSkips } from "./decision.ts";
import { indexDag } from "./graph.ts";
import type { Json } from "./json.ts";
import type { Operator } from "./operator.ts";

const branching: Operator = { type: "branch", choices: { a: ["a"], b: ["b"], both: ["a", "b"] } };
const NO_SETUPS = { total: 0, success: 0, failed: 0, skipped: 0 };
const NOTHING_YET = { total: 1, success: 0, failed: 0, upstream_failed: 0, skipped: 0, removed: 0 };

/** pick → a, b, join, late; a → join; join → end. `late` is nobody's choice. */
function graphOf(operator: Operator) {
  return indexDag(
    dagOf("d", [
      taskOf("pick", [], { operator }),
      taskOf("a", ["pick"]),
      taskOf("b", ["pick"]),
      taskOf("late", ["pick"]),
      taskOf("join", ["pick", "a"]),
      taskOf("end", ["join"]),
    ]),
  );
}

function skipped(operator: Operator, value: Json, mapIndex = -1, decidedBy = -1): string[] {
  const waiting = ["a", "b", "late", "join", "end"].map((task_id) => ({
    id: task_id,
    task_id,
    map_index: mapIndex,
    upstream: NOTHING_YET,
    setups: NO_SETUPS,
  }));
  const decisions = [{ task_id: "pick", map_index: decidedBy, value }];
  return planDecidedSkips(graphOf(operator), waiting, decisions).map(({ task_id }) => task_id);
}

describe("a branch", () => {
  it.each<[Json, string[]]>([
    ["a", ["b", "late"]],
    ["b", ["a", "late", "join"]],
    ["both", ["late"]],
    [["a", "b"], ["late"]],
    [[], ["a", "b", "late", "join"]],
    [null, ["a", "b", "late", "join"]],
    ["unknown", ["a", "b", "late", "join"]],
  ])("that chose %j skips %j", (value, expected) => {
    expect(skipped(branching, value)).toEqual(expected);
  });

  it("decides for its own mapped instance alone", () => {
    expect(skipped(branching, "a", 3, 3)).toEqual(["b", "late"]);
    expect(skipped(branching, "a", 3, 4)).toEqual([]);
    expect(skipped(branching, "a", 3, -1)).toEqual(["b", "late"]);
  });

  it.each<[unknown, string | null]>([
    ["a", null],
    [["a", "b"], null],
    [null, null],
    [undefined, null],
    ["c", '"c"'],
    [["a", "c"], '"c"'],
    [[undefined], "type undefined"],
    [3, "type number"],
  ])("finds the fault of %j: %s", (value, expected) => {
    const fault = findDecisionFault(branching, value);
    if (expected === null) expect(fault).toBeNull();
    else expect(fault).toContain(expected);
  });

  it("may only name what follows it", () => {
    const tasks = new Map(
      [taskOf("pick", [], { operator: branching }), taskOf("a", ["pick"]), taskOf("b")].map((task) => [
        task.task_id,
        task,
      ]),
    );
    expect(findBranchFaults(taskOf("pick", [], { operator: branching }), tasks)).toEqual([
      'choice "b" names "b", which does not follow it',
      'choice "both" names "b", which does not follow it',
    ]);
    expect(findBranchFaults(taskOf("pick", [], { operator: { type: "branch", choices: {} } }), tasks)).toHaveLength(1);
  });
});

describe("a short circuit", () => {
  it.each<[Json, "all" | "direct", string[]]>([
    [true, "all", []],
    ["text", "all", []],
    [[], "all", []],
    [false, "all", ["a", "b", "late", "join", "end"]],
    [null, "all", ["a", "b", "late", "join", "end"]],
    [0, "direct", ["a", "b", "late", "join"]],
    ["", "direct", ["a", "b", "late", "join"]],
  ])("of %j that skips %s skips %j", (value, skips, expected) => {
    expect(skipped({ type: "short_circuit", skips }, value)).toEqual(expected);
  });

  it("skips no teardown, which its setups decide about, but what comes after it", () => {
    const operator: Operator = { type: "short_circuit", skips: "all" };
    const tasks = [
      taskOf("up", [], { role: "setup" }),
      taskOf("gate", ["up"], { operator }),
      taskOf("down", ["up", "gate"], { role: "teardown", trigger_rule: "all_done_setup_success" }),
      taskOf("after", ["down"]),
    ];
    const waiting = ["down", "after"].map((task_id) => ({
      id: task_id,
      task_id,
      map_index: -1,
      upstream: NOTHING_YET,
      setups: NO_SETUPS,
    }));
    const skips = planDecidedSkips(indexDag(dagOf("d", tasks)), waiting, [
      { task_id: "gate", map_index: -1, value: false },
    ]);
    expect(skips.map(({ task_id }) => task_id)).toEqual(["after"]);
  });
});

it("skips no direct follower that can be reached from a chosen one, and every other", () => {
  const shape = fc.record({
    edges: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 20 }),
    chosen: fc.array(fc.nat(7), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(shape, ({ edges, chosen }) => {
      const names = Array.from({ length: 8 }, (_, index) => `t${index}`);
      const before = (to: number) =>
        edges.filter(([from, other]) => other === to && from < to).map(([from]) => `t${from}`);
      const operator: Operator = { type: "branch", choices: Object.fromEntries(names.map((name) => [name, [name]])) };
      const tasks = names.map((name, index) =>
        taskOf(name, [...new Set([...(index % 2 ? ["pick"] : []), ...before(index)])]),
      );
      const graph = indexDag(dagOf("d", [taskOf("pick", [], { operator }), ...tasks]));
      const value = chosen.map((index) => `t${index}`);
      const waiting = names.map((task_id) => ({
        id: task_id,
        task_id,
        map_index: -1,
        upstream: NOTHING_YET,
        setups: NO_SETUPS,
      }));
      const skips = planDecidedSkips(graph, waiting, [{ task_id: "pick", map_index: -1, value }]).map(
        (move) => move.task_id,
      );
      // The slow model: walks upstream from each follower.
      const isFollowed = (name: string): boolean =>
        value.includes(name) || (graph.tasks.get(name)?.upstream ?? []).some((up) => up !== "pick" && isFollowed(up));
      const expected = names.filter((name, index) => index % 2 === 1 && !isFollowed(name));
      expect(skips).toEqual(expected);
    }),
  );
});
