// What every kind of task is made of: checked settings, and a call that puts the task into the DAG that is being built.

import type { ContainerDefinition, Expression, TaskDefinition, TaskKind, TriggerRule } from "../core/definition.ts";
import { authorError, atAuthorsLine } from "./author-error.ts";
import type { Operator } from "../core/operator.ts";
import { type Callbacks, compileCallbacks, listEvents } from "./callbacks.ts";
import { compileInput } from "./compile-input.ts";
import type { CompiledFunction } from "./compiled.ts";
import { addTask, type Draft, findCurrentDraft } from "./draft.ts";
import { checkIdentifier } from "./identifier.ts";
import type { CallArguments } from "./input.ts";
import { createNode, type TaskNode } from "./node.ts";
import {
  applyDefaults,
  checkDescription,
  checkTriggerRule,
  compileSettings,
  NO_SETTINGS,
  refuseUnknownOptions,
  TASK_OPTIONS,
  type TaskOptions,
  type TaskSettings,
} from "./task-settings.ts";
import { checkKeyedInput } from "./task-policy.ts";

export interface Task<I extends object, O> {
  /** Adds the task to the DAG that is being built, and returns a reference to its result. */
  (...inputs: CallArguments<I>): TaskNode<O>;
  readonly id: string;
  /** The same task under another id, to use it more than once in a DAG. */
  as(id: string): Task<I, O>;
}

export interface Blueprint {
  kind: TaskKind;
  settings: TaskSettings;
  triggerRule: TriggerRule;
  description: string | null;
  run: CompiledFunction | null;
  container: ContainerDefinition | null;
  /** What only some kinds of task say of themselves. */
  extras?: Pick<TaskDefinition, "variables" | "connections">;
  operator?: Operator;
  callbacks: Callbacks;
  /** Gives its nodes methods of their own. */
  extendNode?: (node: object, definition: TaskDefinition, draft: Draft) => object;
  /** Throws for inputs that this kind of task cannot take. */
  checkInputs?: (inputs: TaskDefinition["inputs"], where: string) => void;
}

/** What all kinds have in common. */
export function readBlueprint(kind: TaskKind, given: unknown, where: string, run: CompiledFunction | null): Blueprint {
  refuseUnknownOptions(given, TASK_OPTIONS, where);
  const options = given as TaskOptions;
  return {
    kind,
    run,
    container: null,
    settings: compileSettings(options, where, TASK_OPTIONS),
    triggerRule: checkTriggerRule(options.triggerRule, where),
    description: checkDescription(options.description, where),
    callbacks: compileCallbacks(options, where),
  };
}

export function createTask<I extends object, O>(id: string, blueprint: Blueprint): Task<I, O> {
  const call = (...given: unknown[]) =>
    atAuthorsLine(call, () => {
      const draft = findCurrentDraft();
      if (!draft) {
        throw authorError(
          `Task "${id}" was called outside of a DAG. Call it inside the function that is given to dag().`,
        );
      }
      const definition = defineTask(id, blueprint, draft, given);
      addTask(draft, definition, blueprint.run, blueprint.callbacks);
      const node = createNode(id, draft);
      return blueprint.extendNode?.(node, definition, draft) ?? node;
    });
  const as = (other: string) =>
    atAuthorsLine(as, () => {
      checkIdentifier("task", other);
      return createTask<I, O>(other, blueprint);
    });
  // The phantom type of the reference exists for the compiler only, so no value can have it.
  return Object.assign(call as unknown as (...inputs: CallArguments<I>) => TaskNode<O>, { id, as });
}

function defineTask(id: string, blueprint: Blueprint, draft: Draft, given: readonly unknown[]): TaskDefinition {
  const where = `DAG "${draft.dagId}", task "${id}"`;
  const inputs = compileInputs(given, draft, `${where}: inputs`);
  blueprint.checkInputs?.(inputs, where);
  checkKeyedInput(blueprint.settings.policy, inputs, where);
  const upstream = new Set<string>();
  Object.values(inputs).forEach((expression) => collectUpstream(expression, upstream));
  return {
    task_id: id,
    kind: blueprint.kind,
    upstream: [...upstream],
    trigger_rule: blueprint.triggerRule,
    inputs,
    ...applyDefaults(blueprint.settings, blueprint.kind === "empty" ? NO_SETTINGS : draft.defaults),
    container: blueprint.container,
    ...(blueprint.operator ? { operator: structuredClone(blueprint.operator) } : {}),
    ...listEvents(blueprint.callbacks),
    description: blueprint.description,
    ...blueprint.extras,
  };
}

function compileInputs(given: readonly unknown[], draft: Draft, where: string): { [name: string]: Expression } {
  const [inputs = {}] = given;
  if (given.length > 1 || typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw authorError(`${where} must be one object, e.g. ({ day: "2026-01-31" }).`);
  }
  const expression = compileInput(inputs, where, draft);
  if (expression.kind === "object") return expression.fields;
  if (expression.kind !== "value") {
    throw authorError(`${where} is a reference. Name the inputs: ({ name: reference }).`);
  }
  const literals = Object.entries(expression.value ?? {});
  return Object.fromEntries(literals.map(([name, value]) => [name, { kind: "value", value }]));
}

function collectUpstream(expression: Expression, found: Set<string>): void {
  switch (expression.kind) {
    case "result":
      found.add(expression.task_id);
      return;
    case "object":
      Object.values(expression.fields).forEach((field) => collectUpstream(field, found));
      return;
    case "array":
      expression.items.forEach((item) => collectUpstream(item, found));
      return;
    case "value":
    case "param":
    case "run":
      return;
  }
}
