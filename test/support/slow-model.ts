// How a run ends, said as plainly as possible: each task in turn, from the final states of all that it waits for. There are
// no events here, no counters, and nothing of core/ but its types.

import type { DagDefinition, TaskDefinition, TriggerRule } from "../../src/core/definition.ts";
import type { RandomDag } from "./random-dag.ts";

type State = "success" | "failed" | "upstream_failed" | "skipped";
const END_STATES = { success: "success", task_failed: "failed", skipped: "skipped" } as const;

export interface ModelEnd {
  state: "success" | "failed";
  /** By name, e.g. `t1` or `t1[0]`. */
  instances: Record<string, State>;
}

export function predictEnd({ definition, endOf, resultOf }: RandomDag): ModelEnd {
  const ended = new Map<string, Map<number, State>>();
  const isMember = (task: TaskDefinition | undefined) => task?.group === "g";
  const taskOf = (id: string) => definition.tasks.find((task) => task.task_id === id);
  const isSpread = (id: string) => isMember(taskOf(id)) || (taskOf(id)?.map !== undefined && id !== "g");

  const statesSeen = (by: TaskDefinition, index: number, ids: readonly string[]): State[] =>
    ids.flatMap((id) => {
      const all = ended.get(id) ?? new Map<number, State>();
      const same = all.get(index);
      return isMember(by) && isMember(taskOf(id)) ? (same === undefined ? [] : [same]) : [...all.values()];
    });
  const judge = (task: TaskDefinition, index: number): State | "run" => {
    const setups = statesSeen(task, index, relevantSetups(definition, task));
    return judgeRule(task.trigger_rule, statesSeen(task, index, task.upstream), setups);
  };
  const run = (task: TaskDefinition, index: number): State => {
    const verdict = judge(task, index);
    if (verdict !== "run") return verdict;
    return task.kind === "empty" ? "success" : END_STATES[endOf(task.task_id, index)];
  };

  /** How many instances, or how it ends without any. */
  const expand = (task: TaskDefinition): number | State => {
    const lengths: number[] = [];
    for (const { array } of task.map?.over ?? []) {
      if (array.kind === "result" && !isSpread(array.task_id)) {
        const [state] = [...(ended.get(array.task_id)?.values() ?? [])];
        if (state === "skipped") return "skipped";
        if (state !== "success") return "upstream_failed";
      }
    }
    for (const { array } of task.map?.over ?? []) {
      if (array.kind === "result" && isSpread(array.task_id)) {
        const instances = [...(ended.get(array.task_id) ?? [])];
        lengths.push(instances.filter(([index, state]) => index >= 0 && state === "success").length);
        continue;
      }
      const isEmpty = array.kind === "result" && taskOf(array.task_id)?.kind === "empty";
      const value =
        array.kind === "value" ? array.value : array.kind === "result" && !isEmpty ? resultOf(array.task_id) : null;
      if (!Array.isArray(value)) return "failed";
      lengths.push(value.length);
    }
    if (task.map?.mode === "zip" && lengths.some((length) => length !== lengths[0])) return "failed";
    const length = task.map?.mode === "zip" ? (lengths[0] ?? 0) : lengths.reduce((all, each) => all * each, 1);
    if (length > (task.map?.max_length ?? 0)) return "failed";
    return length === 0 ? "skipped" : length;
  };

  let groupLength: number | State = 0;
  for (const task of definition.tasks) {
    const instances = new Map<number, State>();
    ended.set(task.task_id, instances);
    const spread = (length: number, stateOf: (index: number) => State) => {
      for (let index = 0; index < length; index += 1) instances.set(index, stateOf(index));
    };
    if (isMember(task)) {
      if (typeof groupLength === "number") spread(groupLength, (index) => run(task, index));
      else instances.set(-1, groupLength === "skipped" ? "skipped" : "upstream_failed");
    } else if (task.map) {
      const verdict = judge(task, -1);
      const length = verdict === "run" ? expand(task) : verdict;
      if (task.kind === "expand") {
        groupLength = length;
        instances.set(-1, typeof length === "number" ? "success" : length);
      } else if (typeof length === "number") {
        spread(length, (index) => END_STATES[endOf(task.task_id, index)]);
      } else {
        instances.set(-1, length);
      }
    } else {
      instances.set(-1, run(task, -1));
    }
  }
  const leafStates = findLeaves(definition).flatMap((id) => [...(ended.get(id)?.values() ?? [])]);
  const names = [...ended].flatMap(([id, instances]) =>
    [...instances].map(([index, state]): [string, State] => [index === -1 ? id : `${id}[${index}]`, state]),
  );
  return {
    state: leafStates.some((state) => state === "failed" || state === "upstream_failed") ? "failed" : "success",
    instances: Object.fromEntries(names),
  };
}

/** Airflow's table, when everything upstream is over. */
function judgeRule(rule: TriggerRule, upstream: readonly State[], setups: readonly State[]): State | "run" {
  const failed = (states: readonly State[]) =>
    states.some((state) => state === "failed" || state === "upstream_failed");
  const all = (state: State) => upstream.every((each) => each === state);
  const any = (state: State) => upstream.includes(state);
  if (rule === "all_done_setup_success") {
    if (setups.length === 0 || setups.includes("success")) return "run";
    return setups.every((state) => state === "skipped") ? "skipped" : "upstream_failed";
  }
  if (failed(setups)) return "upstream_failed";
  if (setups.includes("skipped")) return "skipped";
  if (upstream.length === 0) return "run";
  switch (rule) {
    case "all_success":
      return failed(upstream) ? "upstream_failed" : any("skipped") ? "skipped" : "run";
    case "all_failed":
      return any("success") || any("skipped") ? "skipped" : "run";
    case "all_done":
    case "always":
      return "run";
    case "all_skipped":
      return all("skipped") ? "run" : "skipped";
    case "one_success":
      return any("success") ? "run" : all("skipped") ? "skipped" : "upstream_failed";
    case "one_failed":
      return failed(upstream) ? "run" : "skipped";
    case "one_done":
      return any("success") || any("failed") ? "run" : "skipped";
    case "none_failed":
      return failed(upstream) ? "upstream_failed" : "run";
    case "none_failed_min_one_success":
      return failed(upstream) ? "upstream_failed" : all("skipped") ? "skipped" : "run";
    case "none_skipped":
      return any("skipped") ? "skipped" : "run";
    case "all_done_min_one_success":
      return any("skipped") ? "skipped" : any("success") ? "run" : "upstream_failed";
  }
}

function isAbove(definition: DagDefinition, upper: string, lower: string): boolean {
  const task = definition.tasks.find(({ task_id }) => task_id === lower);
  return task?.upstream.some((id) => id === upper || isAbove(definition, upper, id)) ?? false;
}

function relevantSetups(definition: DagDefinition, task: TaskDefinition): string[] {
  const setups = definition.tasks.filter(({ role }) => role === "setup").map(({ task_id }) => task_id);
  if (task.trigger_rule === "all_done_setup_success") return setups.filter((id) => task.upstream.includes(id));
  return setups.filter((id) => {
    if (task.upstream.includes(id) || !isAbove(definition, id, task.task_id)) return false;
    const teardowns = definition.tasks.filter(({ role, upstream }) => role === "teardown" && upstream.includes(id));
    return teardowns.length === 0 || teardowns.some((teardown) => isAbove(definition, task.task_id, teardown.task_id));
  });
}

function findLeaves({ tasks }: DagDefinition): string[] {
  const counts = tasks.filter(({ role, fails_run, kind }) => kind !== "expand" && (role !== "teardown" || fails_run));
  const own = counts.filter((task) => !counts.some(({ upstream }) => upstream.includes(task.task_id)));
  const last = tasks.filter(
    (task) => task.kind !== "expand" && !tasks.some(({ upstream }) => upstream.includes(task.task_id)),
  );
  return (own.length > 0 ? own : last).map(({ task_id }) => task_id);
}
