// What may not be done is refused with the state that forbids it and what is possible there.

import {
  ALLOWED_ON_RUN,
  allowedOnInstance,
  type InstanceAction,
  type RunAction,
  sayRefusal,
} from "../core/allowed-actions.ts";
import { failure } from "../core/errors.ts";
import type { ChosenTask, RunPlan, RunSnapshot } from "../core/intervention.ts";

export type Check = (runs: readonly RunSnapshot[], plans: readonly RunPlan[]) => void;

/** Errors: action_not_allowed. */
export function checkRun(dagRunId: string, action: RunAction): Check {
  return (runs) => {
    for (const run of runs) {
      const allowed = ALLOWED_ON_RUN[run.state];
      if (run.dag_run_id !== dagRunId || allowed.includes(action)) continue;
      throw failure("action_not_allowed", sayRefusal(`run "${dagRunId}"`, run.state, action, allowed));
    }
  };
}

/**
 * @param filtered only what is in certain states was asked for, so that nothing is a good answer
 * Errors: not_found, for tasks that the run does not have; action_not_allowed, when nothing that was named may be changed.
 */
export function checkInstances(
  dagRunId: string,
  chosen: readonly ChosenTask[],
  action: InstanceAction,
  filtered: boolean,
): Check {
  return (runs, plans) => {
    const plan = plans.find(({ run }) => run.dag_run_id === dagRunId);
    if (!plan) return;
    const { run, move } = plan;
    for (const task of chosen) {
      if (findInstances(run, task).length > 0 || move?.added.includes(task.task_id) === true) continue;
      const index = task.map_index === null || task.map_index === -1 ? "" : ` with map index ${task.map_index}`;
      throw failure(
        "not_found",
        `run "${dagRunId}" of DAG "${run.dag_id}" has no task instance "${task.task_id}"${index}`,
      );
    }
    const changed = plans.some(({ changes, move: moved }) => changes.length > 0 || (moved?.added.length ?? 0) > 0);
    const [first] = chosen.flatMap((task) => findInstances(run, task));
    if (changed || filtered || !first) return;
    const allowed = allowedOnInstance(first.state);
    throw failure("action_not_allowed", sayRefusal(`task instance "${first.task_id}"`, first.state, action, allowed));
  };
}

function findInstances(run: RunSnapshot, { task_id, map_index }: ChosenTask) {
  return run.instances.filter((one) => one.task_id === task_id && (map_index === null || one.map_index === map_index));
}
