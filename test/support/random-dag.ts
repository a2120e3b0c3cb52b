// Random DAGs of all that decides how a run goes: rules, maps of one or two arrays, maps over maps, a mapped group, setups and
// teardowns, and how every instance ends if it runs.

import fc from "fast-check";
import { type DagDefinition, type TaskDefinition, TRIGGER_RULES } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import { dagOf, taskOf } from "./store-bundle.ts";

export type End = "success" | "task_failed" | "skipped";

export interface RandomDag {
  definition: DagDefinition;
  /** How an instance ends that runs. */
  endOf(taskId: string, mapIndex: number): End;
  /** What one returns that succeeds: an array of a few items, or text. */
  resultOf(taskId: string): Json;
}

const MAX_LENGTH = 5;
const TEXT = 4;

const node = fc.record({
  upstream: fc.array(fc.nat(11), { maxLength: 3 }),
  rule: fc.oneof({ weight: 2, arbitrary: fc.constant("all_success" as const) }, fc.constantFrom(...TRIGGER_RULES)),
  kind: fc.constantFrom("plain", "plain", "empty", "map", "map", "setup", "teardown"),
  /** Over the result of an earlier task, or an array of that length. */
  source: fc.record({ task: fc.option(fc.nat(11)), length: fc.nat(3) }),
  second: fc.option(fc.record({ length: fc.nat(3), zip: fc.boolean() })),
  isMember: fc.boolean(),
  length: fc.nat(TEXT),
  ends: fc.array(fc.constantFrom<End>("success", "success", "success", "task_failed", "skipped"), {
    minLength: 4,
    maxLength: 4,
  }),
});

export const randomDag: fc.Arbitrary<RandomDag> = fc
  .record({
    nodes: fc.array(node, { minLength: 1, maxLength: 10 }),
    group: fc.option(fc.record({ place: fc.nat(4), source: fc.option(fc.nat(11)), length: fc.nat(3) })),
  })
  .map(({ nodes, group }) => buildDag(nodes, group));

type Node = typeof node extends fc.Arbitrary<infer T> ? T : never;

function buildDag(
  nodes: readonly Node[],
  group: { place: number; source: number | null; length: number } | null,
): RandomDag {
  const idOf = (index: number) => `t${index}`;
  const tasks: TaskDefinition[] = [];
  const isMember = (index: number) => group !== null && index >= group.place && (nodes[index]?.isMember ?? false);
  for (const [index, each] of nodes.entries()) {
    if (group?.place === index) tasks.push(expanderOf(group, index));
    const upstream = new Set(each.upstream.filter((other) => other < index).map(idOf));
    const more: Partial<TaskDefinition> = { trigger_rule: each.rule };
    if (isMember(index)) more.group = "g";
    if (each.kind === "empty") more.kind = "empty";
    if (each.kind === "setup") more.role = "setup";
    if (each.kind === "teardown") {
      more.role = "teardown";
      more.trigger_rule = "all_done_setup_success";
      if (each.length === 0) more.fails_run = true;
    }
    if (each.kind === "map" && !isMember(index)) {
      const { task, length } = each.source;
      const source = task !== null && task < index ? idOf(task) : null;
      if (source !== null) upstream.add(source);
      const over = [{ name: "a", array: arrayOf(source, length) }];
      if (each.second) over.push({ name: "b", array: arrayOf(null, each.second.length) });
      more.map = { over, max_length: MAX_LENGTH, ...(each.second?.zip && { mode: "zip" as const }) };
    }
    tasks.push(taskOf(idOf(index), [...upstream], { ...more, inputs: {} }));
  }
  const definition = dagOf("random", tasks);
  if (tasks.some(({ kind }) => kind === "expand")) definition.groups = [{ group_id: "g" }];
  const nodeOf = (taskId: string) => nodes[Number(taskId.slice(1))];
  return {
    definition,
    endOf: (taskId, mapIndex) => nodeOf(taskId)?.ends[(mapIndex + 1) % 4] ?? "success",
    resultOf: (taskId) => valueOf(nodeOf(taskId)?.length ?? 0),
  };
}

function expanderOf(group: { source: number | null; length: number }, place: number): TaskDefinition {
  const source = group.source !== null && group.source < place ? `t${group.source}` : null;
  return taskOf("g", source === null ? [] : [source], {
    kind: "expand",
    inputs: {},
    map: { over: [{ name: "item", array: arrayOf(source, group.length) }], max_length: MAX_LENGTH },
  });
}

function arrayOf(source: string | null, length: number) {
  return source === null
    ? { kind: "value" as const, value: valueOf(length) }
    : { kind: "result" as const, task_id: source, path: [] };
}

function valueOf(length: number): Json {
  return length === TEXT ? "text" : Array.from({ length }, (_, index) => index);
}
