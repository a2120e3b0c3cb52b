import fc from "fast-check";
import { expect, it, test } from "vitest";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import type { DagDefinition } from "./definition.ts";
import { type DagDiff, diffDags } from "./diff-dag.ts";

const BEFORE = dagOf("d", [taskOf("a"), taskOf("b", ["a"], { inputs: {} })]);
const b = (change: object) => taskOf("b", ["a"], { inputs: {}, ...change });
const NOTHING: DagDiff = { same: false, tasks_added: [], tasks_removed: [], tasks_changed: [], fields: [] };
const schedule = { kind: "cron" as const, expression: "0 5 * * *", timezone: "UTC" };
const fieldsOfB = (...fields: DagDiff["fields"]) => ({
  tasks_changed: [{ task_id: "b", fields, upstream_added: [], upstream_removed: [] }],
});

test.each<[string, DagDefinition, Partial<DagDiff>]>([
  ["nothing", structuredClone(BEFORE), { same: true }],
  ["a task", dagOf("d", [...BEFORE.tasks, taskOf("c")]), { tasks_added: ["c"] }],
  [
    "a task that goes, with its edge",
    dagOf("d", [b({ upstream: [] })]),
    {
      tasks_removed: ["a"],
      tasks_changed: [{ task_id: "b", fields: [], upstream_added: [], upstream_removed: ["a"] }],
    },
  ],
  [
    "an edge",
    dagOf(
      "d",
      [taskOf("a"), b({}), taskOf("c")].map((task) => (task.task_id === "b" ? b({ upstream: ["a", "c"] }) : task)),
    ),
    {
      tasks_added: ["c"],
      tasks_changed: [{ task_id: "b", fields: [], upstream_added: ["c"], upstream_removed: [] }],
    },
  ],
  ["a setting", dagOf("d", [taskOf("a"), b({ retries: 3 })]), fieldsOfB({ field: "retries", from: 0, to: 3 })],
  [
    "a setting that one release does not know",
    dagOf("d", [taskOf("a"), b({ pool: "db" })]),
    fieldsOfB({ field: "pool", from: null, to: "db" }),
  ],
  [
    "what lies within an object",
    dagOf("d", [taskOf("a"), b({ inputs: { day: { kind: "param", path: ["day"] } } })]),
    fieldsOfB({ field: "inputs.day", from: null, to: { kind: "param", path: ["day"] } }),
  ],
  [
    "the schedule",
    dagOf("d", BEFORE.tasks, { schedule }),
    { fields: [{ field: "schedule", from: null, to: schedule }] },
  ],
  [
    "params and their types",
    dagOf("d", BEFORE.tasks, { params_schema: { type: "object", properties: { day: { type: "string" } } } }),
    {
      fields: [{ field: "params_schema", from: null, to: { type: "object", properties: { day: { type: "string" } } } }],
    },
  ],
])("%s", (_, after, expected) => {
  expect(diffDags(BEFORE, after)).toEqual({ ...NOTHING, ...expected });
});

it("names the place inside of what both have", () => {
  const of = (type: string) =>
    dagOf("d", BEFORE.tasks, { params_schema: { type: "object", properties: { day: { type } } } });
  expect(diffDags(of("string"), of("integer")).fields).toEqual([
    { field: "params_schema.properties.day.type", from: "string", to: "integer" },
  ]);
});

it("of no DAG at all is every task", () => {
  expect(diffDags(null, BEFORE)).toEqual({ ...NOTHING, tasks_added: ["a", "b"] });
});

it("does not depend on the order of keys, and what is the same stays out of it", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      // JSON.parse has made all of it, as it does of rows.
      const params_schema = JSON.parse(JSON.stringify(value)) as DagDefinition["params_schema"];
      const turned = Object.fromEntries(Object.entries(params_schema ?? {}).toReversed());
      const diff = diffDags(dagOf("d", [], { params_schema }), dagOf("d", [], { params_schema: turned }));
      expect(diff.same).toBe(true);
    }),
  );
});
