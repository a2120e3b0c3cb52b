// Runs a DAG in this process: no Postgres, no cluster, no waiting for retry delays. It performs the same plans of core/ that
// the scheduler performs in transactions, so a run ends here as it would there, save for what clusters do to pods.

import { decideAfterAttempt } from "../core/after-attempt.ts";
import type { TaskDefinition } from "../core/definition.ts";
import { indexDag } from "../core/graph.ts";
import { resolveInputs } from "../core/inputs.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import { planDecidedSkips } from "../core/decision.ts";
import { judgeRun, type Move, planCounterGrowth, planMoves, type WaitingInstance } from "../core/plan-advance.ts";
import { type FinishedTaskState, isFinishedTaskState, type TaskState } from "../core/states.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CompiledDag, TaskRuntime } from "../sdk/compiled.ts";

/** Runs one attempt of one task; rejects never. */
export type AttemptRunner = (
  task: TaskDefinition,
  inputs: JsonObject,
  runtime: Omit<TaskRuntime, "signal" | "variables" | "connections" | "artifacts">,
) => Promise<{ outcome: Outcome; result: Json }>;

export interface InProcessRun {
  state: "success" | "failed";
  tasks: InProcessTask[];
}

export interface InProcessTask {
  task_id: string;
  map_index: number;
  state: FinishedTaskState;
  try_number: number;
  error: string | null;
}

interface Instance extends WaitingInstance {
  state: TaskState | null;
  try_number: number;
  error: string | null;
}

export async function runInProcess(
  dag: CompiledDag,
  params: JsonObject,
  runAttempt: AttemptRunner,
  clock: Clock,
  onChange: (task: { task_id: string; state: TaskState; try_number: number }) => void = () => {},
): Promise<InProcessRun> {
  const { definition } = dag;
  const graph = indexDag(definition);
  const now = clock.now().toISOString();
  const run = {
    dag_id: definition.dag_id,
    run_id: `test__${now}`,
    run_type: "manual",
    logical_date: now,
    data_interval_start: now,
    data_interval_end: now,
    run_after: now,
  };
  const results = new Map<string, Json>();
  const instances = new Map<string, Instance>(
    definition.tasks.map((task) => [task.task_id, newInstance(task.task_id, task.upstream.length)]),
  );
  const underWay = new Set<Promise<void>>();

  const change = (instance: Instance, state: TaskState): void => {
    instance.state = state;
    onChange({ task_id: instance.task_id, state, try_number: instance.try_number });
  };

  const attempt = async (instance: Instance, task: TaskDefinition): Promise<void> => {
    for (;;) {
      instance.try_number += 1;
      change(instance, "running");
      const inputs = resolveInputs(task, { params, results, run });
      const identity = {
        task_id: task.task_id,
        map_index: -1,
        try_number: instance.try_number,
        max_tries: task.retries + 1,
      };
      const { outcome, result } = await runAttempt(task, inputs, { ...run, ...identity, params });
      const budget = { try_number: instance.try_number, max_tries: task.retries + 1, infrastructure_failures: 0 };
      const after = decideAfterAttempt(outcome, task, budget, 0);
      if (after.state === "success") results.set(task.task_id, result);
      instance.error = after.state === "success" ? null : outcome.reason;
      change(instance, after.state);
      if (after.retry_in === null) break;
    }
    settle([instance]);
  };

  const perform = (moves: readonly Move[]): Instance[] =>
    moves.flatMap((move) => {
      const instance = instances.get(move.task_id);
      const task = graph.tasks.get(move.task_id);
      if (!instance || !task) return [];
      if (move.to !== "scheduled") {
        instance.error = move.reason;
        change(instance, move.to);
        return [instance];
      }
      change(instance, "scheduled");
      const running = attempt(instance, task).finally(() => underWay.delete(running));
      underWay.add(running);
      return [];
    });

  const listDecisions = () => [...results].map(([task_id, value]) => ({ task_id, map_index: -1, value }));

  const settle = (finished: readonly Instance[]): void => {
    for (let ended = finished; ended.length > 0;) {
      const counted = ended.flatMap(({ task_id, state }) => (isFinishedTaskState(state) ? [{ task_id, state }] : []));
      const waiting = growCounters(instances, planCounterGrowth(graph, counted));
      const skips = planDecidedSkips(graph, waiting, listDecisions());
      const others = waiting.filter(({ id }) => !skips.some((skip) => skip.id === id));
      ended = perform([...skips, ...planMoves(graph, others)]);
    }
  };

  const unblocked = [...instances.values()].filter(
    ({ task_id, upstream }) => upstream.total === 0 || graph.tasks.get(task_id)?.trigger_rule === "always",
  );
  settle(perform(planMoves(graph, unblocked)));
  while (underWay.size > 0) await Promise.race(underWay);

  const tasks = [...instances.values()].map(({ task_id, map_index, state, try_number, error }) => {
    if (!isFinishedTaskState(state)) throw new Error(`task ${task_id} was left in state ${state ?? "none"}`);
    return { task_id, map_index, state, try_number, error };
  });
  const leaves = new Set(graph.leaves);
  return { state: judgeRun(tasks.filter((task) => leaves.has(task.task_id)).map((task) => task.state)), tasks };
}

function newInstance(taskId: string, total: number): Instance {
  return {
    id: taskId,
    task_id: taskId,
    map_index: -1,
    upstream: { total, success: 0, failed: 0, upstream_failed: 0, skipped: 0, removed: 0 },
    state: null,
    try_number: 0,
    error: null,
  };
}

/** Returns the instances whose counters grew and that still wait. */
function growCounters(instances: Map<string, Instance>, growth: ReturnType<typeof planCounterGrowth>): Instance[] {
  return growth.flatMap((entry) => {
    const instance = instances.get(entry.task_id);
    if (!instance) return [];
    for (const name of ["success", "failed", "upstream_failed", "skipped", "removed"] as const) {
      instance.upstream[name] += entry[name];
    }
    return instance.state === null ? [instance] : [];
  });
}
