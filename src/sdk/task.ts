// Tasks: functions that run in pods of their own. Calling one inside dag() puts it into that DAG.

import type { OutletOptions } from "./asset-runtime.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import type { CompiledFunction, TaskRuntime } from "./compiled.ts";
import { type Blueprint, createTask, readBlueprint, type Task } from "./create-task.ts";
import { checkIdentifier } from "./identifier.ts";
import type { NoInput } from "./input.ts";
import type { Output } from "./output.ts";
import { checkAround, SCHEMA_OPTIONS, type SchemaOptions } from "./task-schemas.ts";
import { SECRET_OPTIONS, type SecretOptions } from "./task-secrets.ts";
import { refuseUnknownOptions, TASK_OPTIONS, type TaskOptions } from "./task-settings.ts";

export type TaskFunction<
  I extends object,
  R,
  V extends string = never,
  C extends string = never,
  A extends string = never,
> = (inputs: I, runtime: TaskRuntime<V, C, A>) => R;

/**
 * A task from a function of its inputs. What it returns (or resolves to) goes to later tasks as JSON.
 * The second argument of the function has the facts of the run and the AbortSignal.
 */
export function task<I extends object = NoInput, R = unknown>(
  id: string,
  run: TaskFunction<I, R>,
): Task<I, Output<Awaited<R>>>;
export function task<
  I extends object = NoInput,
  R = unknown,
  V extends string = never,
  C extends string = never,
  A extends string = never,
>(
  id: string,
  options: TaskOptions & OutletOptions<A> & SecretOptions<V, C> & SchemaOptions<I, Awaited<NoInfer<R>>>,
  run: TaskFunction<I, R, V, C, A>,
): Task<I, Output<Awaited<R>>>;
export function task<I extends object, R>(
  id: string,
  ...rest:
    | [TaskFunction<I, R>]
    | [TaskOptions & OutletOptions<string> & SecretOptions<string, string>, TaskFunction<I, R, string, string, string>]
): Task<I, Output<Awaited<R>>> {
  const blueprint = atAuthorsLine(task, (): Blueprint => {
    checkIdentifier("task", id);
    const where = `task "${id}"`;
    const [options, run]: [unknown, unknown] = rest.length === 1 ? [{}, rest[0]] : rest;
    if (typeof run !== "function") {
      throw authorError(`${where}: the last argument is ${describeValue(run)}. Give it the task's function.`);
    }
    const { input, output, ...settings } = readOptions(options, where);
    return readBlueprint("function", settings, where, checkAround(run as CompiledFunction, { input, output }, where));
  });
  return createTask<I, Output<Awaited<R>>>(id, blueprint);
}

/** All of them are checked here, so that an error can name the ones that there are. */
function readOptions(options: unknown, where: string): { [name: string]: unknown } {
  refuseUnknownOptions(options, [...TASK_OPTIONS, ...SECRET_OPTIONS, ...SCHEMA_OPTIONS], where);
  return options as { [name: string]: unknown };
}

/** A task that does nothing and needs no pod: a place where edges meet. */
export function empty(id: string, options: Pick<TaskOptions, "triggerRule" | "description"> = {}): Task<NoInput, null> {
  const blueprint = atAuthorsLine(empty, () => {
    checkIdentifier("task", id);
    refuseUnknownOptions(options, ["triggerRule", "description"], `task "${id}"`);
    return readBlueprint("empty", options, `task "${id}"`, null);
  });
  return createTask<NoInput, null>(id, blueprint);
}
