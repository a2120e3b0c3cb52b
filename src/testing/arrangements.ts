// What a test arranges about single tasks: results in place of their functions, attempts that end badly, how long they take.

import type { Json, JsonObject } from "../core/json.ts";
import type { INFRASTRUCTURE_OUTCOMES } from "../core/outcome.ts";
import { failure } from "../core/errors.ts";
import type { TaskRuntime } from "../sdk/compiled.ts";
import type { Task } from "../sdk/create-task.ts";
import { type Duration, toSeconds } from "../sdk/duration.ts";

/** A task by its id in the DAG ("load", in a group "sales.load"), or the task itself, by which results are typed. */
export type NamedTask = string | { readonly id: string };

export type ClusterFault = (typeof INFRASTRUCTURE_OUTCOMES)[number];

export type StubFunction = (inputs: JsonObject, runtime: TaskRuntime) => unknown;

export type ArrangedEnd =
  | { kind: "thrown"; error: Error }
  | { kind: "timed_out" }
  | { kind: "fault"; outcome: ClusterFault };

export type Arrangement = { readonly task_id: string } & (
  | { readonly kind: "stub"; readonly run: StubFunction }
  | { readonly kind: "duration"; readonly seconds: number }
  | {
      readonly kind: "end";
      /** Which attempts, from 1 on, relaunches after faults of the cluster included. */
      readonly attempts: readonly number[];
      /** null: of all instances. */
      readonly map_index: number | null;
      readonly end: ArrangedEnd;
    }
);

export interface EndOptions {
  /** One instance of a map; all of them unless given. */
  mapIndex?: number;
}

/** This result, or what the function makes of the inputs, in place of the task's own function or image. */
export function stub<I extends object, O>(
  task: Task<I, O>,
  result: NoInfer<O> | ((inputs: I, runtime: TaskRuntime) => NoInfer<O> | Promise<NoInfer<O>>),
): Arrangement;
export function stub(taskId: string, result: Json | StubFunction): Arrangement;
export function stub(task: NamedTask, result: unknown): Arrangement {
  const run = typeof result === "function" ? (result as StubFunction) : () => result;
  return { kind: "stub", task_id: idOf(task), run };
}

/** The attempt throws before its function is called; `failWithoutRetry` and `skip` work here as they do in tasks. */
export function fail(
  task: NamedTask,
  attempts: number | readonly number[] = 1,
  options: EndOptions & { error?: Error } = {},
): Arrangement {
  const error = options.error ?? new Error(`the test made ${idOf(task)} fail`);
  return arrangeEnd("fail", task, attempts, options, { kind: "thrown", error });
}

/** The attempt lasts until the task's executionTimeout. */
export function timeOut(
  task: NamedTask,
  attempts: number | readonly number[] = 1,
  options: EndOptions = {},
): Arrangement {
  return arrangeEnd("timeOut", task, attempts, options, { kind: "timed_out" });
}

/** The cluster ends the attempt: no retry is spent, it is started again, three times at most. */
export function evict(
  task: NamedTask,
  attempts: number | readonly number[] = 1,
  options: EndOptions & { fault?: ClusterFault } = {},
): Arrangement {
  return arrangeEnd("evict", task, attempts, options, { kind: "fault", outcome: options.fault ?? "evicted" });
}

/** How long each attempt takes on the run's clock; nothing unless given. */
export function takes(task: NamedTask, duration: Duration): Arrangement {
  return { kind: "duration", task_id: idOf(task), seconds: toSeconds(duration, `takes("${idOf(task)}")`) };
}

export function idOf(task: NamedTask): string {
  return typeof task === "string" ? task : task.id;
}

function arrangeEnd(
  what: string,
  task: NamedTask,
  attempts: number | readonly number[],
  { mapIndex = null }: { mapIndex?: number | null },
  end: ArrangedEnd,
): Arrangement {
  const list = typeof attempts === "number" ? [attempts] : attempts;
  if (list.length === 0 || !list.every((each) => Number.isInteger(each) && each >= 1)) {
    throw failure("invalid_request", `${what}("${idOf(task)}"): attempts are counted from 1 on, as in [1, 2]`);
  }
  return { kind: "end", task_id: idOf(task), attempts: list, map_index: mapIndex, end };
}
