import { describe, expect, it } from "vitest";
import type { Expression, TaskDefinition } from "./definition.ts";
import type { Json } from "./json.ts";
import { listResultSources, resolveInputs } from "./inputs.ts";

const taskWith = (inputs: { [name: string]: Expression }): TaskDefinition => ({
  task_id: "t",
  kind: "function",
  upstream: [],
  trigger_rule: "all_success",
  inputs,
  retries: 0,
  retry_delay: 0,
  execution_timeout: null,
  pod: null,
  container: null,
  description: null,
});

const run = {
  dag_id: "d",
  run_id: "r",
  run_type: "manual",
  logical_date: null,
  data_interval_start: null,
  data_interval_end: null,
  run_after: "2026-01-01T00:00:00.000Z",
};

describe("resolveInputs", () => {
  const results = new Map<string, Json>([
    ["a", { rows: [{ n: 1 }, { n: 2 }] }],
    ["mapped", [{ n: 1 }, { n: 2 }]],
  ]);
  const items = new Map<string, Json>([["row", { n: 5 }]]);
  const sources = { params: { day: { of: "2026" } }, results, run, items };

  it.each<[Expression, unknown]>([
    [{ kind: "value", value: [1, "x"] }, [1, "x"]],
    [{ kind: "param", path: ["day", "of"] }, "2026"],
    [{ kind: "result", task_id: "a", path: ["rows", "1", "n"] }, 2],
    [{ kind: "result", task_id: "a", path: ["rows", "7", "n"] }, null],
    [{ kind: "result", task_id: "absent", path: [] }, null],
    // Only own properties: no input reaches into prototypes.
    [{ kind: "param", path: ["constructor", "name"] }, null],
    [{ kind: "result", task_id: "mapped", path: ["1"] }, { n: 2 }],
    [{ kind: "result", task_id: "mapped", each: ["n"], path: [] }, [1, 2]],
    [{ kind: "result", task_id: "mapped", each: ["n"], path: ["1"] }, 2],
    [{ kind: "item", name: "row", path: ["n"] }, 5],
    [{ kind: "item", name: "absent", path: ["n"] }, null],
    [{ kind: "run", field: "run_after" }, "2026-01-01T00:00:00.000Z"],
    [{ kind: "object", fields: { x: { kind: "param", path: ["day"] } } }, { x: { of: "2026" } }],
    [
      {
        kind: "array",
        items: [
          { kind: "run", field: "dag_id" },
          { kind: "value", value: null },
        ],
      },
      ["d", null],
    ],
  ])("%j", (expression, expected) => {
    expect(resolveInputs(taskWith({ input: expression }), sources)).toEqual({ input: expected });
  });

  it("lists the tasks that inputs read, once each", () => {
    const result = (task_id: string): Expression => ({ kind: "result", task_id, path: [] });
    const task = taskWith({ one: result("a"), two: { kind: "array", items: [result("b"), result("a")] } });
    expect(listResultSources(task)).toEqual(["a", "b"]);
  });
});
