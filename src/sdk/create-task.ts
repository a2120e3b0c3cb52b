// What every kind of task is made of: checked settings, and a call that puts the task into the DAG that is being built.

import type {
  AssetDefinition,
  ContainerDefinition,
  Expression,
  MapDefinition,
  TaskDefinition,
  TaskKind,
  TriggerRule,
} from "../core/definition.ts";
import { checkOutlets } from "./asset.ts";
import type { OutletOptions } from "./asset-runtime.ts";
import { authorError, atAuthorsLine } from "./author-error.ts";
import type { Operator } from "../core/operator.ts";
import { type Callbacks, compileCallbacks, listEvents } from "./callbacks.ts";
import { compileInput } from "./compile-input.ts";
import type { CompiledFunction } from "./compiled.ts";
import { addTask, type Draft, findCurrentDraft, prefixId } from "./draft.ts";
import { checkIdentifier } from "./identifier.ts";
import type { CallArguments } from "./input.ts";
import { compileMap, type MapArguments, type MapArrays } from "./map-task.ts";
import { createNode, type TaskNode } from "./node.ts";
import { compileSecrets, SECRET_OPTIONS, type SecretOptions } from "./task-secrets.ts";
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
import { listResultsIn } from "./upstream.ts";

export interface Task<I extends object, O> {
  /** Adds the task to the DAG that is being built, and returns a reference to its result. */
  (...inputs: CallArguments<I>): TaskNode<O>;
  readonly id: string;
  /** The same task under another id, to use it more than once in a DAG. */
  as(id: string): Task<I, O>;
  /**
   * Adds one instance for each item of an array that may exist only when the DAG runs; of several arrays, for every
   * combination, the last one changing fastest. Returns a reference to the array of their results.
   */
  map<Name extends keyof I & string>(over: MapArrays<I, Name>, ...rest: MapArguments<I, Name>): TaskNode<O[]>;
  /** As map(), with the items of several arrays in pairs: all must be equally long. */
  zip<Name extends keyof I & string>(over: MapArrays<I, Name>, ...rest: MapArguments<I, Name>): TaskNode<O[]>;
}

export interface Blueprint {
  kind: TaskKind;
  settings: TaskSettings;
  triggerRule: TriggerRule;
  description: string | null;
  run: CompiledFunction | null;
  container: ContainerDefinition | null;
  outlets?: AssetDefinition[];
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
  // Who has code of its own may be given something in confidence.
  const isCode = kind === "function" || run !== null;
  const known = isCode ? [...TASK_OPTIONS, ...SECRET_OPTIONS] : TASK_OPTIONS;
  refuseUnknownOptions(given, known, where);
  const options = given as TaskOptions & OutletOptions<string> & SecretOptions<string, string>;
  const outlets = checkOutlets(options.outlets, where);
  return {
    kind,
    run,
    container: null,
    ...(outlets.length > 0 && { outlets }),
    settings: compileSettings(options, where, known),
    triggerRule: checkTriggerRule(options.triggerRule, where),
    description: checkDescription(options.description, where),
    callbacks: compileCallbacks(options, where),
    ...(isCode && { extras: compileSecrets(options, where) }),
  };
}

export function createTask<I extends object, O>(id: string, blueprint: Blueprint): Task<I, O> {
  const call = (...given: unknown[]) =>
    atAuthorsLine(call, () => addCall(id, blueprint, (draft, where) => readCall(given, draft, where)));
  const map = (over: unknown, constants: unknown = {}, options: unknown = {}) =>
    atAuthorsLine(map, () =>
      addCall(id, blueprint, (draft, where) => readMap(blueprint, draft, where, over, constants, options, "cross")),
    );
  const zip = (over: unknown, constants: unknown = {}, options: unknown = {}) =>
    atAuthorsLine(zip, () =>
      addCall(id, blueprint, (draft, where) => readMap(blueprint, draft, where, over, constants, options, "zip")),
    );
  const as = (other: string) =>
    atAuthorsLine(as, () => {
      checkIdentifier("task", other);
      return createTask<I, O>(other, blueprint);
    });
  // The phantom type of the reference exists for the compiler only, so no value can have it.
  return Object.assign(call as unknown as (...inputs: CallArguments<I>) => TaskNode<O>, {
    id,
    as,
    map: map as unknown as Task<I, O>["map"],
    zip: zip as unknown as Task<I, O>["zip"],
  });
}

interface CallInputs {
  inputs: TaskDefinition["inputs"];
  map?: MapDefinition;
}

function addCall(ownId: string, blueprint: Blueprint, read: (draft: Draft, where: string) => CallInputs): object {
  const draft = findCurrentDraft();
  if (!draft) {
    throw authorError(
      `Task "${ownId}" was called outside of a DAG. Call it inside the function that you pass to dag().`,
    );
  }
  const id = prefixId(draft, "task", ownId);
  const where = `DAG "${draft.dagId}", task "${id}"`;
  const definition = defineTask(id, blueprint, draft, where, read(draft, where));
  addTask(draft, definition, blueprint.run, blueprint.callbacks);
  const node = createNode(id, draft);
  return blueprint.extendNode?.(node, definition, draft) ?? node;
}

function defineTask(
  id: string,
  blueprint: Blueprint,
  draft: Draft,
  where: string,
  { inputs, map }: CallInputs,
): TaskDefinition {
  blueprint.checkInputs?.(inputs, where);
  checkKeyedInput(blueprint.settings.policy, inputs, where);
  return {
    task_id: id,
    kind: blueprint.kind,
    upstream: listResultsIn([...(map?.over.map(({ array }) => array) ?? []), ...Object.values(inputs)]),
    trigger_rule: blueprint.triggerRule,
    inputs,
    ...applyDefaults(blueprint.settings, blueprint.kind === "empty" ? NO_SETTINGS : draft.defaults),
    container: blueprint.container,
    ...(blueprint.operator ? { operator: structuredClone(blueprint.operator) } : {}),
    ...listEvents(blueprint.callbacks),
    description: blueprint.description,
    ...(blueprint.outlets && { outlets: blueprint.outlets }),
    ...blueprint.extras,
    ...(map && { map }),
  };
}

function readCall(given: readonly unknown[], draft: Draft, task: string): CallInputs {
  const where = `${task}: inputs`;
  if (given.length > 1) throw authorError(`${where} must be one object, e.g. ({ day: "2026-01-31" }).`);
  return { inputs: compileInputs(given[0] ?? {}, draft, where) };
}

function readMap(
  blueprint: Blueprint,
  draft: Draft,
  task: string,
  over: unknown,
  constants: unknown,
  options: unknown,
  mode: "cross" | "zip",
): CallInputs {
  const where = `${task}: ${mode === "zip" ? "zip" : "map"}()`;
  if (blueprint.extendNode) {
    throw authorError(`${where}: a branch chooses once in a run. Put it into a mapped group to choose for each item.`);
  }
  const { map, items } = compileMap(draft, where, over, options, mode);
  const shared = compileInputs(constants, draft, `${where}: the second argument`);
  const twice = Object.keys(shared).find((name) => Object.hasOwn(items, name));
  if (twice !== undefined) {
    throw authorError(`${where}: ${twice} is given as an array to run over, and as a value for all. Leave one out.`);
  }
  return { inputs: { ...items, ...shared }, map };
}

function compileInputs(inputs: unknown, draft: Draft, where: string): { [name: string]: Expression } {
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw authorError(`${where} must be one object, e.g. ({ day: "2026-01-31" }).`);
  }
  const expression = compileInput(inputs, where, { owner: draft, scope: draft.expander });
  if (expression.kind === "object") return expression.fields;
  if (expression.kind !== "value") {
    throw authorError(`${where} is a reference. Name the inputs: ({ name: reference }).`);
  }
  const literals = Object.entries(expression.value ?? {});
  return Object.fromEntries(literals.map(([name, value]) => [name, { kind: "value", value }]));
}
