// A task in its place in one DAG: a reference to its result that can also be put in order with other tasks.

import { authorError, atAuthorsLine, describeValue, rememberAuthorsLine } from "./author-error.ts";
import { addOrder, type Draft, findCurrentDraft } from "./draft.ts";
import { createReference, type Reference, readReference } from "./reference.ts";

export interface TaskNode<out T> extends Reference<T> {
  readonly id: string;
  /** These tasks wait for this one, without taking its result. */
  before(...later: TaskNode<unknown>[]): void;
  /** This task waits for these, without taking their results. */
  after(...earlier: TaskNode<unknown>[]): void;
}

export function createNode(id: string, draft: Draft): object {
  const before = (...later: unknown[]) =>
    atAuthorsLine(before, () => {
      const line = rememberAuthorsLine(before);
      for (const other of later) addOrder(draft, id, readNode(other, draft, `task "${id}": before()`), line);
    });
  const after = (...earlier: unknown[]) =>
    atAuthorsLine(after, () => {
      const line = rememberAuthorsLine(after);
      for (const other of earlier) addOrder(draft, readNode(other, draft, `task "${id}": after()`), id, line);
    });
  return Object.assign(createReference({ kind: "result", task_id: id, path: [] }, draft), { id, before, after });
}

export function readNode(value: unknown, draft: Draft, where: string): string {
  if (findCurrentDraft() !== draft) {
    throw authorError(
      `DAG "${draft.dagId}", ${where} was called after the DAG was built. Call it inside the DAG's function.`,
    );
  }
  const reference = readReference(value);
  if (reference?.expression.kind !== "result" || reference.expression.path.length > 0) {
    throw authorError(
      `DAG "${draft.dagId}", ${where} was given ${describeValue(value)}. Give it what calling a task returned.`,
    );
  }
  if (reference.owner !== draft) {
    throw authorError(
      `DAG "${draft.dagId}", ${where} was given task "${reference.expression.task_id}" of another DAG.`,
    );
  }
  return reference.expression.task_id;
}
