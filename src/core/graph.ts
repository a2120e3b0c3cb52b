// A DAG's edges, indexed once per version for the rules that walk them.

import type { CallbackEvent, CallbackSecrets } from "./callback.ts";
import { type Deciders, indexDeciders } from "./decision.ts";
import type { DagDefinition, TaskDefinition } from "./definition.ts";
import { findSetups } from "./setups.ts";

export interface DagGraph {
  dag_id: string;
  tasks: ReadonlyMap<string, TaskDefinition>;
  /** Direct downstream task ids of every task. */
  downstream: ReadonlyMap<string, readonly string[]>;
  /** The tasks whose states decide how a run ends: those without downstream, save for teardowns that may fail. */
  leaves: readonly string[];
  /** Task ids, upstream first; ties in the order of the definition. */
  order: readonly string[];
  /** By member of a mapped group, the task that expands the group. */
  expandedBy: ReadonlyMap<string, string>;
  /** By expanding task, the tasks of its group. */
  members: ReadonlyMap<string, readonly string[]>;
  /** By task, the setups that its trigger rule counts beside its upstream. */
  setups: ReadonlyMap<string, readonly string[]>;
  /** By setup, the tasks that count it. */
  guarded: ReadonlyMap<string, readonly string[]>;
  deciders: Deciders;
  /** Events of runs that the author wants to hear of. */
  run_callbacks: readonly CallbackEvent[];
  run_callback_secrets: CallbackSecrets;
}

export function indexDag(definition: DagDefinition): DagGraph {
  const tasks = new Map(definition.tasks.map((task) => [task.task_id, task]));
  const downstream = new Map<string, string[]>(definition.tasks.map((task) => [task.task_id, []]));
  for (const task of definition.tasks) {
    for (const upstream of task.upstream) downstream.get(upstream)?.push(task.task_id);
  }
  const expandedBy = findExpanders(definition, tasks);
  const setups = findSetups(tasks, downstream);
  return {
    dag_id: definition.dag_id,
    tasks,
    downstream,
    leaves: findLeaves(definition.tasks, tasks, downstream),
    order: sortTopologically(definition.tasks, expandedBy),
    expandedBy,
    members: invert([...expandedBy].map(([member, expander]) => [member, [expander]])),
    setups,
    guarded: invert(setups),
    deciders: indexDeciders(definition, downstream),
    run_callbacks: definition.callbacks ?? [],
    run_callback_secrets: definition.callback_secrets ?? {},
  };
}

/** Whether instance i of the one task belongs to instance i of the other: tasks of the same mapped group. */
export function isSameIndex(graph: DagGraph, taskId: string, otherId: string): boolean {
  const expander = graph.expandedBy.get(taskId);
  return expander !== undefined && expander === graph.expandedBy.get(otherId);
}

/** Whether a task's result, seen from outside of its group, is the array of its instances' results. */
export function isMapped(graph: DagGraph, taskId: string): boolean {
  const task = graph.tasks.get(taskId);
  return graph.expandedBy.has(taskId) || (task?.map !== undefined && task.kind !== "expand");
}

/** What a task's end decides about: its downstream, and the members of the group that it expands. */
export function listBelow(graph: DagGraph, taskId: string): readonly string[] {
  return [...(graph.downstream.get(taskId) ?? []), ...(graph.members.get(taskId) ?? [])];
}

/** What decides about a task: its upstream, and the task that expands its group. */
export function listAbove(graph: DagGraph, taskId: string): readonly string[] {
  const expander = graph.expandedBy.get(taskId);
  return [...(graph.tasks.get(taskId)?.upstream ?? []), ...(expander === undefined ? [] : [expander])];
}

/** A mapped group with its expander, to which the task belongs as either. */
export function listGroup(graph: DagGraph, taskId: string): readonly string[] {
  const expander = graph.expandedBy.get(taskId) ?? taskId;
  const members = graph.members.get(expander);
  return members ? [expander, ...members] : [];
}

/** Mapped groups are not nested, so there is at most one around a task. */
function findExpanders(definition: DagDefinition, tasks: ReadonlyMap<string, TaskDefinition>): Map<string, string> {
  const expanderOf = new Map<string, string>();
  for (const { group_id, parent } of definition.groups ?? []) {
    const expander = tasks.get(group_id)?.kind === "expand" ? group_id : expanderOf.get(parent ?? "");
    if (expander !== undefined) expanderOf.set(group_id, expander);
  }
  return new Map(
    definition.tasks.flatMap(({ task_id, group, kind }): [string, string][] => {
      const expander = kind === "expand" ? undefined : expanderOf.get(group ?? "");
      return expander === undefined ? [] : [[task_id, expander]];
    }),
  );
}

function findLeaves(
  definitions: readonly TaskDefinition[],
  tasks: ReadonlyMap<string, TaskDefinition>,
  downstream: ReadonlyMap<string, readonly string[]>,
): string[] {
  // Who expands a group says so through its members.
  const isIgnored = (task: TaskDefinition | undefined) =>
    task?.kind === "expand" || (task?.role === "teardown" && task.fails_run !== true);
  const below = (task: TaskDefinition) => downstream.get(task.task_id) ?? [];
  const leaves = definitions.filter((task) => !isIgnored(task) && below(task).every((id) => isIgnored(tasks.get(id))));
  const chosen =
    leaves.length > 0 ? leaves : definitions.filter((task) => task.kind !== "expand" && below(task).length === 0);
  return chosen.map((task) => task.task_id);
}

function invert(entries: Iterable<[string, readonly string[]]>): Map<string, string[]> {
  const inverted = new Map<string, string[]>();
  for (const [key, values] of entries) {
    for (const value of values) {
      const known = inverted.get(value);
      if (known) known.push(key);
      else inverted.set(value, [key]);
    }
  }
  return inverted;
}

/** Tasks on a cycle are left out: compare the length to find that there is one. A group's members come after its expander. */
function sortTopologically(tasks: readonly TaskDefinition[], expandedBy: ReadonlyMap<string, string>): string[] {
  const before = (task: TaskDefinition) => {
    const expander = expandedBy.get(task.task_id);
    return expander === undefined ? task.upstream : [...task.upstream, expander];
  };
  const waitingFor = new Map(tasks.map((task) => [task.task_id, before(task).length]));
  const after = invert(tasks.map((task) => [task.task_id, before(task)]));
  const order = tasks.filter((task) => waitingFor.get(task.task_id) === 0).map((task) => task.task_id);
  // `order` grows while it is walked: every task enters once its last upstream is in.
  for (const taskId of order) {
    for (const next of after.get(taskId) ?? []) {
      const left = (waitingFor.get(next) ?? 0) - 1;
      waitingFor.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return order;
}
