// Groups of tasks: a prefix to their ids, one thing to put in order; and, over an array, tasks that run once for each item,
// each instance waiting only for those of the same item.

import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import { addTask, type Draft, findCurrentDraft, prefixId } from "./draft.ts";
import { checkIdentifier } from "./identifier.ts";
import { compileArray, compileOptions, type InstanceName } from "./map-task.ts";
import { createNode, createOrdered, findPlace, type Ordered, type TaskNode } from "./node.ts";
import { createReference, type Reference, readReference } from "./reference.ts";
import { applyDefaults, NO_SETTINGS, refuseUnknownOptions } from "./task-settings.ts";
import { listResultsIn } from "./upstream.ts";

export interface Group<out R> extends Ordered {
  /** What its function returned; of a mapped group, each reference in it is one to the array of all instances' values. */
  readonly result: R;
}

export interface MappedGroupOptions<T> {
  /** All tasks of the group run once for each item. */
  over: Reference<readonly T[]> | readonly T[];
  /** What each instance is called, out of its item. */
  name?: (item: Reference<T>) => InstanceName;
  /** More items than this fail the group. 1024 unless given. */
  maxMapLength?: number;
}

/** What is one value for each item inside of the group is an array outside. */
export type Gathered<R> =
  R extends TaskNode<infer T>
    ? TaskNode<T[]>
    : R extends Reference<infer T>
      ? Reference<T[]>
      : R extends object
        ? { readonly [Key in keyof R]: Gathered<R[Key]> }
        : R;

/** Tasks under a common prefix, which can be put in order as one. */
export function group<R>(id: string, build: () => R): Group<R>;
/** Tasks that run once for each item of an array. */
export function group<T, R>(
  id: string,
  options: MappedGroupOptions<T>,
  build: (item: Reference<T>) => R,
): Group<Gathered<R>>;
export function group(id: string, ...rest: unknown[]): Group<unknown> {
  const [options, build] = rest.length === 1 ? [null, rest[0]] : rest;
  const { draft, whole, item } = atAuthorsLine(group, () => openGroup(id, options, build));
  const outer = { group: draft.group, expander: draft.expander };
  draft.group = whole;
  if (options !== null) draft.expander = whole;
  const tasksBefore = draft.tasks.size;
  let returned: unknown;
  try {
    // openGroup has made sure that it is a function.
    returned = (build as (item: unknown) => unknown)(item);
  } finally {
    Object.assign(draft, outer);
  }
  return atAuthorsLine(group, () => {
    if (returned instanceof Promise) {
      throw authorError(
        `Group "${whole}": its function is async. Make it a plain function: it only describes the tasks.`,
      );
    }
    if (draft.tasks.size === tasksBefore) {
      throw authorError(`Group "${whole}" has no tasks. Call at least one task in its function.`);
    }
    const result = options === null ? returned : gather(returned, whole, draft);
    return createOrdered({ kind: "group", id: whole }, draft, { result }) as Group<unknown>;
  });
}

function openGroup(
  id: unknown,
  options: unknown,
  build: unknown,
): { draft: Draft; whole: string; item: object | null } {
  checkIdentifier("group", id);
  const draft = findCurrentDraft();
  if (!draft)
    throw authorError(
      `Group "${id}" is created outside of a DAG. Call group() in the function that you pass to dag().`,
    );
  const whole = prefixId(draft, "group", id);
  const where = `DAG "${draft.dagId}", group "${whole}"`;
  if (typeof build !== "function") {
    throw authorError(
      `${where}: the last argument is ${describeValue(build)}. Give it the function that calls the tasks.`,
    );
  }
  if (draft.groups.some((other) => other.group_id === whole) || draft.tasks.has(whole)) {
    throw authorError(`${where}: the id is taken by another group or task. Give it an id of its own.`);
  }
  if (options !== null) addExpander(draft, whole, where, options);
  draft.groups.push(draft.group === null ? { group_id: whole } : { group_id: whole, parent: draft.group });
  return { draft, whole, item: options === null ? null : createItem(draft, whole) };
}

const ITEM = "item";

function createItem(draft: Draft, scope: string): object {
  return createReference({ kind: "item", name: ITEM, path: [] }, draft, scope);
}

/** The task that reads the array, and decides how often the others run. */
function addExpander(draft: Draft, id: string, where: string, options: unknown): void {
  if (draft.expander !== null) {
    throw authorError(
      `${where} lies inside of the mapped group "${draft.expander}". Mapped groups cannot be nested: make one array of both.`,
    );
  }
  refuseUnknownOptions(options, ["over", "name", "maxMapLength"], where);
  const { over, ...others } = options as { over?: unknown };
  const array = compileArray(over, `${where}: over`, draft);
  const map = {
    over: [{ name: ITEM, array }],
    ...compileOptions(draft, where, others, (scope) => createItem(draft, scope)),
  };
  addTask(
    draft,
    {
      task_id: id,
      kind: "expand",
      upstream: listResultsIn([array]),
      trigger_rule: "all_success",
      inputs: {},
      ...applyDefaults(NO_SETTINGS, NO_SETTINGS),
      container: null,
      description: null,
      map,
    },
    null,
  );
}

/** What was returned, with references into the group turned into references to arrays. */
function gather(value: unknown, groupId: string, draft: Draft): unknown {
  const reference = readReference(value);
  if (reference) {
    const { expression, scope } = reference;
    if (scope !== groupId || expression.kind !== "result") {
      throw authorError(
        `Group "${groupId}" returns a reference that does not come from one of its tasks. Use it outside as it is.`,
      );
    }
    const outside = { kind: "result" as const, task_id: expression.task_id, path: [] };
    const whole = expression.path.length === 0 ? outside : { ...outside, each: expression.path };
    if (findPlace(value)) return createNode(expression.task_id, draft, whole, null);
    return createReference(whole, draft);
  }
  if (Array.isArray(value)) return value.map((each) => gather(each, groupId, draft));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, gather(field, groupId, draft)]));
}
