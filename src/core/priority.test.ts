import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TaskDefinition, WeightRule } from "./definition.ts";
import { indexDag } from "./graph.ts";
import { computePriorities } from "./priority.ts";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";

const prioritiesOf = (tasks: TaskDefinition[]) => computePriorities(indexDag(dagOf("d", tasks)));

/** Walks from every task to each that it reaches: slow, and plainly what the rules say. */
function walkSlowly(tasks: TaskDefinition[]): Map<string, number> {
  const graph = indexDag(dagOf("d", tasks));
  return new Map(
    tasks.map((task) => {
      const rule = task.weight_rule ?? "downstream";
      const next = (id: string) =>
        rule === "absolute"
          ? []
          : rule === "upstream"
            ? (graph.tasks.get(id)?.upstream ?? [])
            : (graph.downstream.get(id) ?? []);
      const seen = new Set<string>([task.task_id]);
      for (const id of seen) for (const other of next(id)) seen.add(other);
      return [task.task_id, [...seen].reduce((sum, id) => sum + (graph.tasks.get(id)?.priority_weight ?? 1), 0)];
    }),
  );
}

describe("computePriorities", () => {
  const diamond = (rule: WeightRule) =>
    [taskOf("a"), taskOf("b", ["a"]), taskOf("c", ["a"]), taskOf("d", ["b", "c"], { priority_weight: 10 })].map(
      (task) => ({
        ...task,
        weight_rule: rule,
      }),
    );
  it.each([
    ["downstream", { a: 13, b: 11, c: 11, d: 10 }],
    ["upstream", { a: 1, b: 2, c: 2, d: 13 }],
    ["absolute", { a: 1, b: 1, c: 1, d: 10 }],
  ] as const)("%s counts each task of a diamond once", (rule, expected) => {
    expect(Object.fromEntries(prioritiesOf(diamond(rule)))).toEqual(expected);
  });

  it("stays within what Postgres keeps", () => {
    const heavy = { priority_weight: 2 ** 31 - 1 };
    expect(prioritiesOf([taskOf("a", [], heavy), taskOf("b", ["a"], heavy)]).get("a")).toBe(2 ** 31 - 1);
  });

  it("is that of a slow walk, for any graph, weights and rules", () => {
    const task = fc.record({
      weight: fc.option(fc.integer({ min: -3, max: 5 }), { nil: undefined }),
      rule: fc.option(fc.constantFrom<WeightRule>("downstream", "upstream", "absolute"), { nil: undefined }),
      upstream: fc.array(fc.nat(80), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(task, { minLength: 1, maxLength: 80 }), (given) => {
        const tasks = given.map(({ weight, rule, upstream }, index) => ({
          ...taskOf(`t${index}`, [...new Set(upstream.filter((other) => other < index).map((other) => `t${other}`))]),
          ...(weight === undefined ? {} : { priority_weight: weight }),
          ...(rule === undefined ? {} : { weight_rule: rule }),
        }));
        expect(prioritiesOf(tasks)).toEqual(walkSlowly(tasks));
      }),
    );
  });

  it("goes on over several blocks of tasks", () => {
    const tasks = Array.from({ length: 9_000 }, (_, index) =>
      taskOf(`t${index}`, index === 0 ? [] : [`t${index - 1}`]),
    );
    const priorities = prioritiesOf(tasks);
    expect([priorities.get("t0"), priorities.get("t4000"), priorities.get("t8999")]).toEqual([9_000, 5_000, 1]);
  });
});
