// Runs a DAG in this process: no Postgres, no cluster, and on a virtual clock no waiting. It performs the same plans of core/
// that the scheduler performs in transactions, so a run ends here as it would there, save for what clusters do to pods.

import { decideAfterAttempt } from "../core/after-attempt.ts";
import { type CallbackContext, type CallbackEvent, eventOf, runEventOf } from "../core/callback.ts";
import type { TaskDefinition } from "../core/definition.ts";
import { indexDag } from "../core/graph.ts";
import { listResultSources, resolveInputs } from "../core/inputs.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import { listDeciders, planDecidedSkips } from "../core/decision.ts";
import { isWait } from "../core/operator.ts";
import { explainFailure, judgeRun, planGroupEnds, planMoves } from "../core/plan-advance.ts";
import { type FinishedTaskState, isFinishedTaskState, type TaskState } from "../core/states.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CompiledDag, TaskRuntime } from "../sdk/compiled.ts";
import {
  createInstances,
  expandInstance,
  growCounters,
  type Instance,
  listInstances,
  listMembersToEnd,
  readSources,
} from "./in-process-instances.ts";
import { keepTimes } from "./in-process-times.ts";

/** As WINDLASS_INFRASTRUCTURE_RETRIES has it by default. */
const INFRASTRUCTURE_BUDGET = 3;

/** Runs one attempt of one task; what it rejects with ends the run's test. */
export type AttemptRunner = (
  task: TaskDefinition,
  inputs: JsonObject,
  runtime: Omit<TaskRuntime, "signal" | "variables" | "connections" | "artifacts" | "assets" | "asset_events">,
) => Promise<{ outcome: Outcome; result: Json }>;

export interface InProcessRun {
  state: "success" | "failed";
  /** Why it failed. */
  reason: string | null;
  tasks: InProcessTask[];
}

export interface InProcessTask {
  task_id: string;
  map_index: number;
  /** What an instance of a map is called, if its author said so. */
  rendered_map_index?: string;
  state: FinishedTaskState;
  try_number: number;
  /** Why it ended so, with the stack of what its last attempt threw. */
  error: string | null;
}

export interface InProcessChange extends Omit<InProcessTask, "state" | "error"> {
  state: TaskState;
}

export interface InProcessHooks {
  onChange?: (task: InProcessChange) => void;
  /** Of each callback that is declared, when it falls due. */
  onCallback?: (context: CallbackContext) => void;
}

export async function runInProcess(
  dag: Pick<CompiledDag, "definition">,
  params: JsonObject,
  runAttempt: AttemptRunner,
  clock: Clock,
  { onChange = () => {}, onCallback = () => {} }: InProcessHooks = {},
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
  const instances = createInstances(graph);
  const over = Promise.withResolvers<void>();
  let underWay = 0;
  let runEnd = null as Pick<InProcessRun, "state" | "reason"> | null;

  const tell = (event: CallbackEvent, reason: string | null, instance: Instance | null = null): void => {
    const declared = instance ? graph.tasks.get(instance.task_id)?.callbacks : graph.run_callbacks;
    if (!declared?.includes(event)) return;
    const { task_id = null, map_index = null, try_number = null, state = null } = instance ?? {};
    const task = { task_id, map_index, try_number, state };
    onCallback({ ...run, ...task, event, reason, run_state: runEnd?.state ?? "running", params });
  };

  const change = (instance: Instance, state: TaskState, error: string | null = null): void => {
    instance.state = state;
    instance.error = error;
    onChange({ ...placeOf(instance), state });
  };

  const attempt = async (instance: Instance, task: TaskDefinition): Promise<void> => {
    let failures = 0;
    for (let sameTry = false; ;) {
      if (!sameTry) instance.try_number += 1;
      change(instance, "running");
      const inputs = resolveInputs(
        task,
        readSources(instances, graph, { params, run }, listResultSources(task), instance),
      );
      const { task_id, map_index, try_number } = instance;
      const identity = { task_id, map_index, try_number, max_tries: task.retries + 1 };
      const { outcome, result } = await runAttempt(task, inputs, { ...run, ...identity, params });
      if (runEnd) return;
      const budget = { try_number, max_tries: task.retries + 1, infrastructure_failures: failures };
      const seed = `${run.run_id} ${task_id} ${map_index}`;
      const after = decideAfterAttempt(outcome, task, budget, INFRASTRUCTURE_BUDGET, 0, seed);
      sameTry = after.infrastructure_failures > failures;
      failures = after.infrastructure_failures;
      if (after.state === "success") instance.result = result;
      change(instance, after.state, joinStack(after.reason, outcome.error?.stack ?? null));
      const event = eventOf(after.state, sameTry);
      // Of what succeeds, only waits have something to say.
      const said = isWait(task.operator) ? outcome.reason : null;
      if (event !== null) tell(event, after.reason ?? said, instance);
      if (after.retry_in === null) break;
      await clock.sleep(after.retry_in * 1000);
      if (runEnd) return;
    }
    settle(growCounters(instances, graph, finishedOf([instance])));
  };

  const start = (instance: Instance): void => {
    const task = graph.tasks.get(instance.task_id);
    if (!task) return;
    change(instance, "scheduled");
    underWay += 1;
    attempt(instance, task).then(() => {
      underWay -= 1;
      if (underWay === 0) over.resolve();
    }, over.reject);
  };

  const listDecisions = (waiting: readonly Instance[]) =>
    listInstances(instances, listDeciders(graph, waiting)).flatMap(({ task_id, map_index, state, result }) =>
      state === "success" ? [{ task_id, map_index, value: result ?? null }] : [],
    );

  const settle = (changed: readonly Instance[]): void => {
    for (let waiting = changed; waiting.length > 0;) {
      const skips = planDecidedSkips(graph, waiting, listDecisions(waiting));
      const skipped = new Set(skips.map(({ id }) => id));
      const plan = planMoves(
        graph,
        waiting.filter(({ id }) => !skipped.has(id)),
      );
      const ended: Instance[] = [];
      const fresh: Instance[] = [];
      const end = (instance: Instance, state: FinishedTaskState, reason: string | null) => {
        change(instance, state, reason);
        ended.push(instance);
      };
      for (const { task_id, map_index, to, reason } of [...skips, ...plan.moves]) {
        const instance = instances.get(task_id)?.get(map_index);
        if (!instance) continue;
        if (to === "scheduled") start(instance);
        else end(instance, to, reason);
      }
      for (const { task_id } of plan.expand) {
        const unexpanded = instances.get(task_id)?.get(-1);
        const expansion = expandInstance(instances, graph, { params, run }, task_id);
        if ("kind" in expansion) {
          if (unexpanded) end(unexpanded, expansion.state, expansion.reason);
        } else if (unexpanded && graph.tasks.get(task_id)?.kind === "expand") {
          end(unexpanded, "success", null);
          fresh.push(...expansion.expanded);
        } else {
          expansion.expanded.forEach(start);
        }
      }
      for (const group of planGroupEnds(graph, finishedOf(ended))) {
        for (const member of listMembersToEnd(instances, group)) end(member, group.state, group.reason);
      }
      const grown = growCounters(instances, graph, finishedOf(ended));
      waiting = [...new Set([...grown, ...fresh])].filter(({ state }) => state === null);
    }
  };

  const endRun = (state: InProcessRun["state"], reason: string | null) => {
    runEnd = { state, reason };
    endTimes();
    tell(runEventOf(state), reason);
    return runEnd;
  };

  const timeOut = (seconds: number): void => {
    for (const instance of listInstances(instances)) {
      if (!isFinishedTaskState(instance.state))
        change(instance, "skipped", "skipped because its run took longer than its timeout");
    }
    endRun("failed", `failed because it took longer than its run timeout of ${seconds} s`);
    over.resolve();
  };
  const endTimes = keepTimes(definition, clock, { onMissed: (reason) => tell("deadline", reason), onTimeout: timeOut });

  settle(
    listInstances(instances).filter(
      ({ task_id, upstream }) => upstream.total === 0 || graph.tasks.get(task_id)?.trigger_rule === "always",
    ),
  );
  if (underWay > 0) await over.promise;

  const tasks = listInstances(instances).map((instance) => {
    const { task_id, state, error } = instance;
    if (!isFinishedTaskState(state)) throw new Error(`task ${task_id} was left in state ${state ?? "none"}`);
    return { ...placeOf(instance), state, error };
  });
  const isLeaf = new Set(graph.leaves);
  const leaves = tasks.filter(({ task_id }) => isLeaf.has(task_id));
  const end = runEnd ?? endRun(judgeRun(leaves.map(({ state }) => state)), explainFailure(leaves));
  return { ...end, tasks };
}

/** The stack where it says all that the reason does. */
function joinStack(reason: string | null, stack: string | null): string | null {
  if (reason === null || stack === null) return reason;
  return stack.startsWith(reason) ? stack : `${reason}\n${stack}`;
}

function placeOf({ task_id, map_index, label, try_number }: Instance) {
  return { task_id, map_index, ...(label !== null && { rendered_map_index: label }), try_number };
}

function finishedOf(instances: readonly Instance[]) {
  return instances.flatMap(({ task_id, map_index, state }) =>
    isFinishedTaskState(state) ? [{ task_id, map_index, state }] : [],
  );
}
