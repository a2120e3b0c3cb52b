// Tasks that decide what follows: branch and short circuit. They run as functions do; their result is the decision.

import { authorError, atAuthorsLine, describeValue, rememberAuthorsLine } from "./author-error.ts";
import type { CompiledFunction } from "./compiled.ts";
import { type Blueprint, createTask, readBlueprint, type Task } from "./create-task.ts";
import { checkIdentifier } from "./identifier.ts";
import type { CallArguments, NoInput } from "./input.ts";
import { readNode, type TaskNode } from "./node.ts";
import { addOrder } from "./order.ts";
import type { Output } from "./output.ts";
import type { Operator } from "../core/operator.ts";
import type { TaskFunction } from "./task.ts";
import { SECRET_OPTIONS, type SecretOptions } from "./task-secrets.ts";
import { refuseUnknownOptions, TASK_OPTIONS, type TaskOptions } from "./task-settings.ts";

/** One name, several, or null for none. */
export type Choice = string | readonly string[] | null;

/** The names that a branch's function may return. */
export type ChoiceName<R> = R extends string ? R : R extends readonly (infer Name extends string)[] ? Name : never;

type Followers = TaskNode<unknown> | readonly TaskNode<unknown>[];

export interface BranchNode<Name extends string, out T> extends TaskNode<T> {
  /** What each choice leads to. These tasks wait for this one, and those that were not chosen are skipped. */
  to(choices: { readonly [Each in Name]: Followers }): void;
}

export interface BranchTask<I extends object, R> {
  (...inputs: CallArguments<I>): BranchNode<ChoiceName<R>, Output<R>>;
  readonly id: string;
  as(id: string): BranchTask<I, R>;
}

/** A task whose function chooses which of the tasks behind it run: it returns one name, several, or null. */
export function branch<I extends object = NoInput, const R extends Choice | Promise<Choice> = null>(
  id: string,
  run: TaskFunction<I, R>,
): BranchTask<I, Awaited<R>>;
export function branch<
  I extends object = NoInput,
  const R extends Choice | Promise<Choice> = null,
  V extends string = never,
  C extends string = never,
>(id: string, options: TaskOptions & SecretOptions<V, C>, run: TaskFunction<I, R, V, C>): BranchTask<I, Awaited<R>>;
export function branch<I extends object, R>(id: string, ...rest: unknown[]): BranchTask<I, Awaited<R>> {
  const blueprint = atAuthorsLine(branch, (): Blueprint => {
    const { options, run } = readCall(id, rest);
    return {
      ...readBlueprint("function", options, `task "${id}"`, run),
      operator: { type: "branch", choices: {} },
      extendNode: (node, { operator, task_id }, draft) => {
        const to = (choices: unknown) =>
          atAuthorsLine(to, () => {
            const where = `task "${task_id}": to()`;
            const line = rememberAuthorsLine(to);
            for (const [name, followers] of readChoices(choices, where)) {
              const ids = followers.map((follower) => readNode(follower, draft, `${where}: ${name}`));
              for (const follower of ids) {
                addOrder(draft, { kind: "task", id: task_id }, { kind: "task", id: follower }, line);
              }
              addChoice(operator, name, ids, where);
            }
          });
        return Object.assign(node, { to });
      },
    };
  });
  // The call's node has `to`, which extendNode gave it.
  return createTask(id, blueprint) as unknown as BranchTask<I, Awaited<R>>;
}

function readChoices(choices: unknown, where: string): [string, unknown[]][] {
  if (typeof choices !== "object" || choices === null || Array.isArray(choices)) {
    throw authorError(`${where} was given ${describeValue(choices)}. Give it an object: { name: node }.`);
  }
  return Object.entries(choices).map(([name, followers]) => [name, Array.isArray(followers) ? followers : [followers]]);
}

function addChoice(operator: Operator | undefined, name: string, ids: string[], where: string): void {
  if (operator?.type !== "branch") return;
  if (Object.hasOwn(operator.choices, name)) {
    throw authorError(`${where}: the choice "${name}" is given twice. Give all of its tasks in one list.`);
  }
  operator.choices[name] = ids;
}

export interface ShortCircuitOptions extends TaskOptions {
  /** "all": everything downstream, whatever its trigger rule. "direct": what comes right after it. "all" unless given. */
  skips?: "all" | "direct";
}

/** A task that skips what follows it when its function returns something falsy. */
export function shortCircuit<I extends object = NoInput, R = unknown>(
  id: string,
  run: TaskFunction<I, R>,
): Task<I, Output<Awaited<R>>>;
export function shortCircuit<
  I extends object = NoInput,
  R = unknown,
  V extends string = never,
  C extends string = never,
>(
  id: string,
  options: ShortCircuitOptions & SecretOptions<V, C>,
  run: TaskFunction<I, R, V, C>,
): Task<I, Output<Awaited<R>>>;
export function shortCircuit<I extends object, R>(id: string, ...rest: unknown[]): Task<I, Output<Awaited<R>>> {
  const blueprint = atAuthorsLine(shortCircuit, (): Blueprint => {
    const { options, run } = readCall(id, rest);
    refuseUnknownOptions(options, ["skips", ...TASK_OPTIONS, ...SECRET_OPTIONS], `task "${id}"`);
    const { skips = "all", ...shared } = options as { skips?: unknown };
    if (skips !== "all" && skips !== "direct") {
      throw authorError(`task "${id}": skips is ${describeValue(skips)}. Use "all" or "direct".`);
    }
    return { ...readBlueprint("function", shared, `task "${id}"`, run), operator: { type: "short_circuit", skips } };
  });
  return createTask<I, Output<Awaited<R>>>(id, blueprint);
}

/** The arguments of an operator with a function: (id, run) or (id, options, run). */
export function readCall(id: string, rest: readonly unknown[]): { options: unknown; run: CompiledFunction } {
  checkIdentifier("task", id);
  const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (typeof run !== "function") {
    throw authorError(`task "${id}": the last argument is ${describeValue(run)}. Give it the task's function.`);
  }
  return { options, run: run as CompiledFunction };
}
