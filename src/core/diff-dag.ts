// What differs between two definitions of a DAG, in the words of its author: tasks, edges, settings, schedule, params.

import type { DagDefinition, TaskDefinition } from "./definition.ts";
import { isJsonObject, type Json } from "./json.ts";

export interface FieldChange {
  /** The name in the definition, with the path inside of it for objects. */
  field: string;
  /** null: it was not there, or was null. */
  from: Json;
  to: Json;
}

export interface TaskChange {
  task_id: string;
  fields: FieldChange[];
  /** Edges into it. */
  upstream_added: string[];
  upstream_removed: string[];
}

export interface DagDiff {
  same: boolean;
  tasks_added: string[];
  tasks_removed: string[];
  tasks_changed: TaskChange[];
  /** Of the DAG itself: its schedule, limits, params and their types. */
  fields: FieldChange[];
}

/** @param before null: there is none, so that everything is added */
export function diffDags(before: DagDefinition | null, after: DagDefinition): DagDiff {
  const old = new Map((before?.tasks ?? []).map((task) => [task.task_id, task]));
  const ids = new Set(after.tasks.map(({ task_id }) => task_id));
  const diff = {
    tasks_added: after.tasks.flatMap(({ task_id }) => (old.has(task_id) ? [] : [task_id])),
    tasks_removed: [...old.keys()].filter((id) => !ids.has(id)),
    tasks_changed: after.tasks.flatMap((task) => {
      const known = old.get(task.task_id);
      const change = known && diffTask(known, task);
      return change ? [change] : [];
    }),
    fields: before === null ? [] : diffFields(before, after, ["tasks"]),
  };
  return { same: before !== null && Object.values(diff).every((list) => list.length === 0), ...diff };
}

function diffTask(before: TaskDefinition, after: TaskDefinition): TaskChange | null {
  const change = {
    task_id: after.task_id,
    fields: diffFields(before, after, ["task_id", "upstream"]),
    upstream_added: after.upstream.filter((id) => !before.upstream.includes(id)),
    upstream_removed: before.upstream.filter((id) => !after.upstream.includes(id)),
  };
  const isSame = change.fields.length + change.upstream_added.length + change.upstream_removed.length === 0;
  return isSame ? null : change;
}

/** Fields of whatever name: one that a later release adds is compared like any other. */
function diffFields(before: object, after: object, except: readonly string[]): FieldChange[] {
  const left = new Map<string, Json>(Object.entries(before));
  const right = new Map<string, Json>(Object.entries(after));
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => !except.includes(name));
  return names.flatMap((name) => diffValues(name, left.get(name) ?? null, right.get(name) ?? null));
}

function diffValues(field: string, from: Json, to: Json): FieldChange[] {
  if (isJsonObject(from) && isJsonObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return names.flatMap((name) => diffValues(`${field}.${name}`, from[name] ?? null, to[name] ?? null));
  }
  return isEqual(from, to) ? [] : [{ field, from, to }];
}

/** The order of an object's keys does not count: Postgres keeps none. */
function isEqual(one: Json, other: Json): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => isEqual(value, other[index] ?? null));
  }
  if (isJsonObject(one) && isJsonObject(other)) {
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...names].every((name) => isEqual(one[name] ?? null, other[name] ?? null));
  }
  return one === other;
}
