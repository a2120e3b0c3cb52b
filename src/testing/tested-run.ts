// What a test sees of a run that is over.

import type { EmittedEvent } from "../core/asset-events.ts";
import { failure } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { OutcomeKind } from "../core/outcome.ts";
import type { InProcessTask } from "../dags/run-in-process.ts";
import type { Artifacts } from "../sdk/artifacts.ts";
import type { Task } from "../sdk/create-task.ts";
import { idOf, type NamedTask } from "./arrangements.ts";
import type { TestedCallback } from "./run-with-callbacks.ts";

export interface TestedAttempt {
  try_number: number;
  outcome: OutcomeKind;
  reason: string;
  /** Seconds of the run's clock since it began. */
  started_at: number;
  ended_at: number;
}

export interface TestedTask<I = { [name: string]: Json }, O = Json> extends InProcessTask {
  attempts: TestedAttempt[];
  /** What the last attempt was given; null when there was none. */
  inputs: I | null;
  /** null unless it succeeded. */
  result: O | null;
  /** Events of its outlets, with the data that it emitted; none unless it succeeded. */
  events: EmittedEvent[];
}

export interface TestedRun {
  state: "success" | "failed";
  /** Why it failed. */
  reason: string | null;
  /** How long it took on its own clock. */
  seconds: number;
  /** In the order of the DAG, then of the indexes. */
  tasks: TestedTask[];
  /** A task that is not mapped, or one instance of a map. */
  task<I extends object, O>(task: Task<I, O>, mapIndex?: number): TestedTask<I, O>;
  task(task: NamedTask, mapIndex?: number): TestedTask;
  /** All instances of a map, by their indexes. */
  instances<I extends object, O>(task: Task<I, O>): TestedTask<I, O>[];
  instances(task: NamedTask): TestedTask[];
  /** `{ load: "success", "square[0]": "failed" }` */
  states: { [instance: string]: InProcessTask["state"] };
  /** In whose order they fell due: of tasks, and of the run itself. */
  callbacks: TestedCallback[];
  /** Reads the files that tasks wrote. */
  artifacts: Artifacts;
}

export function presentRun(run: Omit<TestedRun, "task" | "instances" | "states">): TestedRun {
  const { tasks } = run;
  const find = (task: NamedTask): TestedTask[] => {
    const id = idOf(task);
    const found = tasks.filter(({ task_id }) => task_id === id);
    if (found.length > 0) return found;
    const known = [...new Set(tasks.map(({ task_id }) => task_id))].join(", ");
    throw failure("not_found", `the run has no task "${id}", but ${known}`);
  };
  const one = (task: NamedTask, mapIndex?: number): TestedTask => {
    const found = find(task);
    const instance = found.length === 1 && mapIndex === undefined ? found[0] : found[mapIndex ?? found.length];
    if (instance) return instance;
    throw failure(
      "not_found",
      `task "${idOf(task)}" has ${found.length} instances: name one, as in task("${idOf(task)}", 0)`,
    );
  };
  const names = tasks.map((task) => [nameOf(task), task.state] as const);
  // What a task's type says of inputs and result is what its function was given and gave.
  const typed = { task: one, instances: find } as unknown as Pick<TestedRun, "task" | "instances">;
  return { ...run, states: Object.fromEntries(names), ...typed };
}

function nameOf({ task_id, map_index }: TestedTask): string {
  return map_index === -1 ? task_id : `${task_id}[${map_index}]`;
}
