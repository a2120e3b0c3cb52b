import { expect, it } from "vitest";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import type { TaskDefinition } from "./definition.ts";
import { indexDag } from "./graph.ts";
import type { InstanceSnapshot } from "./intervention.ts";
import { findReshaped } from "./reshaped-tasks.ts";

const MAP = { over: [{ name: "item", array: { kind: "value" as const, value: [1, 2] } }] };
const plain = (id: string) => taskOf(id);
const mapped = (id: string) => taskOf(id, [], { map: MAP });
const expander = (id: string) => taskOf(id, [], { kind: "expand", map: MAP });
const member = (id: string, group: string) => taskOf(id, [], { group });

function graphOf(tasks: TaskDefinition[]) {
  const groups = [...new Set(tasks.flatMap(({ group }) => (group === undefined ? [] : [group])))];
  return indexDag(dagOf("d", tasks, { groups: groups.map((group_id) => ({ group_id })) }));
}

function instancesOf(names: readonly string[]): InstanceSnapshot[] {
  return names.map((name) => {
    const [, task_id = "", index = "-1"] = /^([^[]+)(?:\[(\d+)\])?$/.exec(name) ?? [];
    const state = "success" as const;
    return { id: name, task_id, map_index: Number(index), state, try_number: 1, max_tries: 1, attempt: null };
  });
}

it.each<[string, TaskDefinition[], string[], TaskDefinition[], string[]]>([
  ["what stays as it is", [plain("a"), mapped("m")], ["a", "m[0]"], [plain("a"), mapped("m")], []],
  ["what becomes mapped", [plain("a")], ["a"], [mapped("a")], ["a"]],
  ["what is mapped no longer", [mapped("a")], ["a[0]"], [plain("a")], ["a"]],
  ["what was mapped, and not expanded", [mapped("a")], ["a"], [plain("a")], ["a"]],
  ["a group that becomes mapped", [member("g.a", "g")], ["g.a"], [expander("g"), member("g.a", "g")], ["g", "g.a"]],
  ["a task where a group was", [expander("g"), member("g.a", "g")], ["g", "g.a[0]"], [plain("g")], ["g"]],
  [
    "a group whose items others have",
    [expander("g"), member("a", "g"), expander("h"), member("b", "h")],
    ["g", "a[0]", "h", "b[0]"],
    [expander("g"), member("a", "h"), member("c", "g"), expander("h"), member("b", "h")],
    ["a", "g", "c"],
  ],
  [
    "not a group into whose items a new task comes",
    [expander("g"), member("a", "g")],
    ["g", "a[0]"],
    [expander("g"), member("a", "g"), member("b", "g")],
    [],
  ],
  [
    "all of a group that has no items for a new task",
    [expander("g"), member("a", "g")],
    ["g", "a"],
    [expander("g"), member("a", "g"), member("b", "g")],
    ["g", "a", "b"],
  ],
  [
    "nothing of a group that is over as it was",
    [expander("g"), member("a", "g")],
    ["g", "a"],
    [expander("g"), member("a", "g")],
    [],
  ],
])("%s", (_, before, instances, after, expected) => {
  const run = {
    id: 1,
    dag_id: "d",
    dag_run_id: "r",
    state: "success" as const,
    version_id: 1,
    graph: graphOf(before),
    instances: instancesOf(instances),
  };
  expect([...findReshaped(run, graphOf(after))].toSorted()).toEqual(expected.toSorted());
});
