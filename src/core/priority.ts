// A task's effective priority: its own weight and, by its weight rule, those of every task after it or before it, each once.

import type { TaskDefinition } from "./definition.ts";
import type { DagGraph } from "./graph.ts";

/** What an integer of Postgres holds. */
const LARGEST = 2 ** 31 - 1;
/** Tasks whose reach is followed at a time: memory is this many bits for each task, whatever the size of the DAG. */
const BLOCK = 4_096;

/** By task id. Time: tasks and edges times tasks / 32, a few dozen milliseconds for 10,000 tasks. */
export function computePriorities(graph: DagGraph): Map<string, number> {
  const ids = graph.order;
  const tasks = ids.flatMap((id) => graph.tasks.get(id) ?? []);
  const place = new Map(ids.map((id, index) => [id, index]));
  const placesOf = (names: readonly string[]) => names.flatMap((name) => place.get(name) ?? []);
  const weights = tasks.map((task) => task.priority_weight ?? 1);
  const sums = [...weights];
  const add = (
    rule: "downstream" | "upstream",
    backwards: boolean,
    next: (task: TaskDefinition) => readonly string[],
  ) => {
    if (!tasks.some((task) => ruleOf(task) === rule)) return;
    const edges = tasks.map((task) => placesOf(next(task)));
    const walk = edges.map((_, index) => (backwards ? edges.length - 1 - index : index));
    sumReachable(edges, walk, weights).forEach((sum, index) => {
      if (tasks[index] && ruleOf(tasks[index]) === rule) sums[index] = (sums[index] ?? 0) + sum;
    });
  };
  add("downstream", true, (task) => graph.downstream.get(task.task_id) ?? []);
  add("upstream", false, (task) => task.upstream);
  return new Map(ids.map((id, index) => [id, Math.max(-LARGEST, Math.min(LARGEST, sums[index] ?? 1))]));
}

function ruleOf(task: TaskDefinition) {
  return task.weight_rule ?? "downstream";
}

/**
 * The sum of the weights of all that each place reaches, each place once.
 * @param walk places in an order in which those that one leads to come before it
 */
function sumReachable(edges: readonly number[][], walk: readonly number[], weights: readonly number[]): number[] {
  const sums = edges.map(() => 0);
  for (let from = 0; from < edges.length; from += BLOCK) {
    const width = Math.min(BLOCK, edges.length - from);
    const words = Math.ceil(width / 32);
    const reach = new Uint32Array(edges.length * words);
    // Most weights are 1, which is counted by words; the others are looked at one by one.
    const special = weights.flatMap((weight, index) =>
      weight !== 1 && index >= from && index < from + width ? [index] : [],
    );
    for (const index of walk) {
      const own = index * words;
      for (const next of edges[index] ?? []) {
        const other = next * words;
        for (let word = 0; word < words; word += 1) {
          reach[own + word] = (reach[own + word] ?? 0) | (reach[other + word] ?? 0);
        }
        const bit = next - from;
        if (bit >= 0 && bit < width) reach[own + (bit >> 5)] = (reach[own + (bit >> 5)] ?? 0) | (1 << (bit & 31));
      }
      let sum = 0;
      for (let word = 0; word < words; word += 1) sum += countBits(reach[own + word] ?? 0);
      for (const target of special) {
        const bit = target - from;
        if (((reach[own + (bit >> 5)] ?? 0) >>> (bit & 31)) & 1) sum += (weights[target] ?? 1) - 1;
      }
      sums[index] = (sums[index] ?? 0) + sum;
    }
  }
  return sums;
}

function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
