// A task in its place in one DAG: a reference to its result that can also be put in order with other tasks and groups.

import type { TaskDefinition } from "../core/definition.ts";
import { authorError, atAuthorsLine, describeValue, rememberAuthorsLine } from "./author-error.ts";
import { type Draft, findCurrentDraft, type Place } from "./draft.ts";
import { addOrder } from "./order.ts";
import { createReference, type Reference, type ReferenceExpression } from "./reference.ts";

/** What can be put in order: tasks and groups. */
export interface Ordered {
  readonly id: string;
  /** These wait for this one, without taking its result. */
  before(...later: Ordered[]): void;
  /** This one waits for these, without taking their results. */
  after(...earlier: Ordered[]): void;
}

export interface TaskNode<out T> extends Reference<T>, Ordered {
  /** Makes it a setup: what comes below it runs only if it succeeded, and its teardowns run whatever happened between. */
  asSetup(): TaskNode<T>;
  /** Makes it a teardown: it runs when all before it is over, if one of its setups succeeded, and its end does not count. */
  asTeardown(options?: TeardownOptions): TaskNode<T>;
}

export interface TeardownOptions {
  /** What it takes down again: these become setups, and come before it. */
  of?: TaskNode<unknown> | readonly TaskNode<unknown>[];
  /** Whether the run fails when the teardown does. False unless given. */
  failsRun?: boolean;
}

const PLACES = new WeakMap<object, { place: Place; draft: Draft }>();

export function createNode(
  id: string,
  draft: Draft,
  expression: ReferenceExpression = { kind: "result", task_id: id, path: [] },
  scope: string | null = draft.expander,
): object {
  const node = createOrdered({ kind: "task", id }, draft, createReference(expression, draft, scope));
  const asSetup = () =>
    atAuthorsLine(asSetup, () => {
      makeSetup(draft, id);
      return node;
    });
  const asTeardown = (options: unknown = {}) =>
    atAuthorsLine(asTeardown, () => {
      makeTeardown(draft, id, options as { [Name in keyof TeardownOptions]: unknown }, asTeardown);
      return node;
    });
  return Object.assign(node, { asSetup, asTeardown });
}

/** Adds before() and after() to an object, which becomes known as the place. */
export function createOrdered(place: Place, draft: Draft, object: object): object {
  const name = `${place.kind} "${place.id}"`;
  const before = (...later: unknown[]) =>
    atAuthorsLine(before, () => {
      const line = rememberAuthorsLine(before);
      for (const other of later) addOrder(draft, place, readPlace(other, draft, `${name}: before()`), line);
    });
  const after = (...earlier: unknown[]) =>
    atAuthorsLine(after, () => {
      const line = rememberAuthorsLine(after);
      for (const other of earlier) addOrder(draft, readPlace(other, draft, `${name}: after()`), place, line);
    });
  const node = Object.assign(object, { id: place.id, before, after });
  PLACES.set(node, { place, draft });
  return node;
}

/** The task that a node stands for; null for anything else. */
export function findPlace(value: unknown): Place | null {
  return typeof value === "object" && value !== null ? (PLACES.get(value)?.place ?? null) : null;
}

function readPlace(value: unknown, draft: Draft, where: string): Place {
  refuseClosed(draft, where);
  const known = typeof value === "object" && value !== null ? PLACES.get(value) : undefined;
  if (!known) {
    throw authorError(
      `DAG "${draft.dagId}", ${where} was given ${describeValue(value)}. Give it what calling a task or group() returned.`,
    );
  }
  if (known.draft !== draft) {
    throw authorError(
      `DAG "${draft.dagId}", ${where} was given ${known.place.kind} "${known.place.id}" of another DAG.`,
    );
  }
  return known.place;
}

function refuseClosed(draft: Draft, where: string): void {
  if (findCurrentDraft() === draft) return;
  throw authorError(
    `DAG "${draft.dagId}", ${where} was called after the DAG was built. Call it inside the DAG's function.`,
  );
}

function makeSetup(draft: Draft, id: string): void {
  refuseClosed(draft, `task "${id}": asSetup()`);
  const definition = definitionOf(draft, id);
  if (definition.role === "teardown") {
    throw authorError(`DAG "${draft.dagId}": task "${id}" is a teardown and cannot be a setup too. Use two tasks.`);
  }
  definition.role = "setup";
}

function makeTeardown(
  draft: Draft,
  id: string,
  options: { [Name in keyof TeardownOptions]: unknown },
  entry: (...args: never[]) => unknown,
): void {
  const where = `task "${id}": asTeardown()`;
  refuseClosed(draft, where);
  const definition = definitionOf(draft, id);
  if (definition.role === "setup") {
    throw authorError(`DAG "${draft.dagId}": task "${id}" is a setup and cannot be a teardown too. Use two tasks.`);
  }
  if (definition.trigger_rule !== "all_success" && definition.role !== "teardown") {
    throw authorError(
      `DAG "${draft.dagId}", ${where}: a teardown runs when all before it is over, so it takes no triggerRule. ` +
        `Remove ${definition.trigger_rule}.`,
    );
  }
  const { of = [], failsRun = false } = options;
  if (typeof failsRun !== "boolean") {
    throw authorError(`DAG "${draft.dagId}", ${where}: failsRun is ${describeValue(failsRun)}. Use true or false.`);
  }
  definition.role = "teardown";
  definition.trigger_rule = "all_done_setup_success";
  if (failsRun) definition.fails_run = true;
  const line = rememberAuthorsLine(entry);
  for (const each of Array.isArray(of) ? of : [of]) {
    const setup = readPlace(each, draft, where);
    if (setup.kind === "group") {
      throw authorError(`DAG "${draft.dagId}", ${where}: of names group "${setup.id}". Give it the tasks that set up.`);
    }
    makeSetup(draft, setup.id);
    addOrder(draft, setup, { kind: "task", id }, line);
  }
}

function definitionOf(draft: Draft, id: string): TaskDefinition {
  const task = draft.tasks.get(id);
  if (!task) throw new Error(`task ${id} is not in the draft of DAG ${draft.dagId}`);
  return task.definition;
}

/** The id of the task that a node stands for. */
export function readNode(value: unknown, draft: Draft, where: string): string {
  const place = readPlace(value, draft, where);
  if (place.kind === "task") return place.id;
  throw authorError(`DAG "${draft.dagId}", ${where} was given group "${place.id}". Give it a task: the group's first.`);
}
