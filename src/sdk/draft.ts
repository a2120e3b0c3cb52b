// The DAG under construction: dag() opens it, calls of tasks add nodes, before() and after() add order, dag() closes it.
// Building is synchronous, so one module variable is enough to know which DAG a task call belongs to.

import type { GroupDefinition, TaskDefinition } from "../core/definition.ts";
import { type AuthorsLine, authorError } from "./author-error.ts";
import type { Callbacks } from "./callbacks.ts";
import type { CompiledFunction } from "./compiled.ts";
import { checkIdentifier } from "./identifier.ts";
import type { TaskSettings } from "./task-settings.ts";

export interface DraftTask {
  definition: TaskDefinition;
  run: CompiledFunction | null;
  callbacks: Callbacks;
  /** The mapped group around it, null outside of any. */
  expander: string | null;
}

/** What order is made between: a task, or all of a group. */
export interface Place {
  kind: "task" | "group";
  id: string;
}

export interface Draft {
  readonly dagId: string;
  readonly defaults: TaskSettings;
  readonly tasks: Map<string, DraftTask>;
  readonly groups: GroupDefinition[];
  /** Where before() or after() made the edge; data edges are not in it, for they cannot close a cycle alone. */
  readonly orders: { upstream: string; downstream: string; line: AuthorsLine }[];
  /** Order with groups, whose first and last tasks are known only at the end. */
  readonly groupOrders: { upstream: Place; downstream: Place; line: AuthorsLine }[];
  /** The group whose function is running, and the mapped one around it. */
  group: string | null;
  expander: string | null;
}

let current: Draft | null = null;

export function openDraft(dagId: string, defaults: TaskSettings): Draft {
  const empty = { groups: [], orders: [], groupOrders: [], group: null, expander: null };
  return { dagId, defaults, tasks: new Map(), ...empty };
}

export function buildDraft(draft: Draft, build: () => unknown): unknown {
  current = draft;
  try {
    return build();
  } finally {
    current = null;
  }
}

export function findCurrentDraft(): Draft | null {
  return current;
}

/** The id inside of the groups that are being built. */
export function prefixId(draft: Draft, what: "task" | "group", id: string): string {
  if (draft.group === null) return id;
  const whole = `${draft.group}.${id}`;
  checkIdentifier(what, whole);
  return whole;
}

export function addTask(
  draft: Draft,
  definition: TaskDefinition,
  run: CompiledFunction | null,
  callbacks: Callbacks = {},
): void {
  const id = definition.task_id;
  if (draft.tasks.has(id)) {
    const own = id.slice(draft.group === null ? 0 : draft.group.length + 1);
    throw authorError(
      `DAG "${draft.dagId}" has two tasks named "${id}". Give this call an id of its own: .as("${own}_2")(…).`,
    );
  }
  if (draft.groups.some((group) => group.group_id === id)) {
    throw authorError(`DAG "${draft.dagId}" has a group and a task named "${id}". Give one of them another id.`);
  }
  const inGroup = draft.group === null ? definition : { ...definition, group: draft.group };
  draft.tasks.set(id, { definition: inGroup, run, callbacks, expander: draft.expander });
}
