// Branches and short circuits: what their results skip. An instance is skipped as long as the decision stands, so that one
// which was cleared while its branch was not stays skipped. Pure: performed with the other moves of a run.

import type { DagDefinition, TaskDefinition } from "./definition.ts";
import type { DagGraph } from "./graph.ts";
import type { Json } from "./json.ts";
import type { Operator } from "./operator.ts";
import type { Move, WaitingInstance } from "./plan-advance.ts";
import { reach } from "./reach.ts";

/** The result of a successful branch or short circuit. */
export interface Decision {
  task_id: string;
  map_index: number;
  value: Json;
}

/** For each task that decisions can skip: the tasks that make them, the nearest first. No teardowns: they follow their setups. */
export type Deciders = ReadonlyMap<string, readonly string[]>;

/** `downstream` as in DagGraph. */
export function indexDeciders(definition: DagDefinition, downstream: ReadonlyMap<string, readonly string[]>): Deciders {
  const deciders = new Map<string, string[]>();
  const teardowns = new Set(definition.tasks.flatMap(({ task_id, role }) => (role === "teardown" ? [task_id] : [])));
  for (const { task_id, operator } of definition.tasks) {
    if (operator?.type !== "branch" && operator?.type !== "short_circuit") continue;
    const isDeep = operator.type === "short_circuit" && operator.skips === "all";
    for (const id of isDeep ? reach([task_id], (next) => downstream.get(next)) : (downstream.get(task_id) ?? [])) {
      if (teardowns.has(id)) continue;
      const known = deciders.get(id);
      if (known) known.push(task_id);
      else deciders.set(id, [task_id]);
    }
  }
  return deciders;
}

/** The tasks whose decisions must be known before these instances may move. */
export function listDeciders(graph: DagGraph, waiting: readonly WaitingInstance[]): string[] {
  return [...new Set(waiting.flatMap(({ task_id }) => graph.deciders.get(task_id) ?? []))];
}

/** The instances that a decision skips. The others follow their trigger rules. */
export function planDecidedSkips(
  graph: DagGraph,
  waiting: readonly WaitingInstance[],
  decisions: readonly Decision[],
): Move[] {
  if (decisions.length === 0) return [];
  const skipped = new Map(decisions.map((decision) => [decision, findSkipped(graph, decision)]));
  return waiting.flatMap(({ id, task_id, map_index }): Move[] => {
    // Of an unexpanded member its group decides; its instances are skipped one by one.
    if (!graph.deciders.has(task_id) || (map_index === -1 && graph.expandedBy.has(task_id))) return [];
    const by = decisions.find(
      (decision) =>
        (decision.map_index === -1 || decision.map_index === map_index) && skipped.get(decision)?.has(task_id),
    );
    return by ? [{ id, task_id, map_index, to: "skipped", reason: explainSkip(graph, by) }] : [];
  });
}

function findSkipped(graph: DagGraph, { task_id, value }: Decision): ReadonlySet<string> {
  const operator = graph.tasks.get(task_id)?.operator;
  const direct = graph.downstream.get(task_id) ?? [];
  if (operator?.type === "short_circuit") {
    if (isTruthy(value)) return new Set();
    return operator.skips === "all" ? reach([task_id], (id) => graph.downstream.get(id)) : new Set(direct);
  }
  if (operator?.type !== "branch") return new Set();
  // What a followed task leads to is followed too.
  const chosen = namesOf(value).flatMap((name) => operator.choices[name] ?? []);
  const followed = new Set([...chosen, ...reach(chosen, (id) => graph.downstream.get(id))]);
  return new Set(direct.filter((id) => !followed.has(id)));
}

function explainSkip(graph: DagGraph, { task_id, value }: Decision): string {
  if (graph.tasks.get(task_id)?.operator?.type === "short_circuit") {
    return `skipped because "${task_id}" returned ${JSON.stringify(value).slice(0, 60)}`;
  }
  const names = namesOf(value);
  return `skipped because branch "${task_id}" chose ${names.length === 0 ? "nothing" : names.map((name) => `"${name}"`).join(", ")}`;
}

function namesOf(value: Json): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}

/** As JavaScript has it: an empty list is true. */
function isTruthy(value: Json): boolean {
  return Boolean(value);
}

/** What is wrong with a deciding task's result, or null. */
export function findDecisionFault(operator: Operator | undefined, value: unknown): string | null {
  if (operator?.type !== "branch" || value === null || value === undefined) return null;
  const known = Object.keys(operator.choices);
  const names: unknown[] = Array.isArray(value) ? value : [value];
  const wrong = names.find((name) => typeof name !== "string" || !known.includes(name));
  if (wrong === undefined && !names.includes(undefined)) return null;
  const shown = typeof wrong === "string" ? `"${wrong}"` : `a value of type ${typeof wrong}`;
  return `the branch chose ${shown}, but its choices are ${known.map((name) => `"${name}"`).join(", ")}; return one of them, several, or null`;
}

/** Names in a definition that lead nowhere. */
export function findBranchFaults(task: TaskDefinition, tasks: ReadonlyMap<string, TaskDefinition>): string[] {
  if (task.operator?.type !== "branch") return [];
  const choices = Object.entries(task.operator.choices);
  if (choices.length === 0) return ["has no choices; name the tasks that follow: .to({ name: node })"];
  return choices.flatMap(([name, ids]) =>
    ids.flatMap((id) =>
      tasks.get(id)?.upstream.includes(task.task_id)
        ? []
        : [`choice "${name}" names "${id}", which does not follow it`],
    ),
  );
}
