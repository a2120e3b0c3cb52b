// Sensors: an author's function that is asked again and again whether something has come to be, without a pod. It runs beside
// the scheduler, in a process that has the network and what it declares: no environment, no files, no children.

import type { TaskAssets } from "./asset-runtime.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import { readCall } from "./branch.ts";
import type { TaskRuntime } from "./compiled.ts";
import { createTask, type Task } from "./create-task.ts";
import type { Duration } from "./duration.ts";
import type { NoInput } from "./input.ts";
import type { Output } from "./output.ts";
import type { SecretOptions } from "./task-secrets.ts";
import { checkInterval, readWait, type WaitOptions } from "./wait.ts";

export interface SensorOptions extends WaitOptions {
  /** From one poke to the next. 1 minute unless given. */
  every?: Duration;
  /** Whether that doubles with every poke, up to an hour. */
  backoff?: boolean;
}

/** Whether it has come; `value` is the task's result. */
export type Sensed = boolean | { done: false } | { done: true; value: unknown };

type SensedValue<R> = R extends { done: true; value: infer Value } ? Value : never;
/** null for sensors that only say yes. */
export type SensorResult<R> = [SensedValue<R>] extends [never] ? null : Output<SensedValue<R>>;

/** What a sensor's function gets as its second argument: there are neither files nor assets beside the scheduler. */
export type SensorRuntime<V extends string = string, C extends string = string> = Omit<
  TaskRuntime<V, C, never>,
  "artifacts" | keyof TaskAssets<never>
>;

type SensorFunction<I extends object, R, V extends string = never, C extends string = never> = (
  inputs: I,
  runtime: SensorRuntime<V, C>,
) => R;

const DEFAULT_EVERY = 60;
/** A week, as Airflow has it. */
const DEFAULT_TIMEOUT = 604_800;

/** A task that is done once its function says so. It gives up after a week unless `timeout` says otherwise. */
export function sensor<I extends object = NoInput, const R extends Sensed | Promise<Sensed> = boolean>(
  id: string,
  run: SensorFunction<I, R>,
): Task<I, SensorResult<Awaited<R>>>;
export function sensor<
  I extends object = NoInput,
  const R extends Sensed | Promise<Sensed> = boolean,
  V extends string = never,
  C extends string = never,
>(
  id: string,
  options: SensorOptions & SecretOptions<V, C>,
  run: SensorFunction<I, R, V, C>,
): Task<I, SensorResult<Awaited<R>>>;
export function sensor<I extends object, R>(id: string, ...rest: unknown[]): Task<I, SensorResult<Awaited<R>>> {
  const blueprint = atAuthorsLine(sensor, () => {
    const { options, run } = readCall(id, rest);
    const read = ({ every = DEFAULT_EVERY, backoff = false }: { [name: string]: unknown }, where: string) => {
      if (typeof backoff !== "boolean") {
        throw authorError(`${where}: backoff is ${describeValue(backoff)}. Use true or false.`);
      }
      return { type: "sensor" as const, every: checkInterval(every, `${where}: every`), backoff };
    };
    return readWait(id, options, ["every", "backoff"], read, run, DEFAULT_TIMEOUT);
  });
  return createTask<I, SensorResult<Awaited<R>>>(id, blueprint);
}
