// The DAG under construction: dag() opens it, calls of tasks add nodes, before() and after() add order, dag() closes it.
// Building is synchronous, so one module variable is enough to know which DAG a task call belongs to.

import type { TaskDefinition } from "../core/definition.ts";
import { type AuthorsLine, authorError, authorErrorAt } from "./author-error.ts";
import type { Callbacks } from "./callbacks.ts";
import type { CompiledFunction } from "./compiled.ts";
import type { TaskSettings } from "./task-settings.ts";

export interface Draft {
  readonly dagId: string;
  readonly defaults: TaskSettings;
  readonly tasks: Map<string, { definition: TaskDefinition; run: CompiledFunction | null; callbacks: Callbacks }>;
  /** Where before() or after() made the edge; data edges are not in it, for they cannot close a cycle alone. */
  readonly orders: { upstream: string; downstream: string; line: AuthorsLine }[];
}

let current: Draft | null = null;

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

export function addTask(
  draft: Draft,
  definition: TaskDefinition,
  run: CompiledFunction | null,
  callbacks: Callbacks,
): void {
  const id = definition.task_id;
  if (draft.tasks.has(id)) {
    throw authorError(
      `DAG "${draft.dagId}" has two tasks named "${id}". Give this call an id of its own: .as("${id}_2")(…).`,
    );
  }
  draft.tasks.set(id, { definition, run, callbacks });
}

export function addOrder(draft: Draft, upstream: string, downstream: string, line: AuthorsLine): void {
  if (upstream === downstream) {
    throw authorError(`DAG "${draft.dagId}": task "${upstream}" cannot wait for itself. Remove this line.`);
  }
  draft.orders.push({ upstream, downstream, line });
  const known = draft.tasks.get(downstream)?.definition.upstream;
  if (known && !known.includes(upstream)) known.push(upstream);
}

/** Throws, at the line that closed it, for a cycle. */
export function refuseCycles(draft: Draft): void {
  const path = findCycle(draft);
  if (!path) return;
  const edges = new Set(path.slice(1).map((id, index) => `${path[index]} → ${id}`));
  const closing = draft.orders.findLast((order) => edges.has(`${order.upstream} → ${order.downstream}`));
  const message = `DAG "${draft.dagId}" has a cycle: ${path.join(" → ")}. Remove one of these before() or after() calls.`;
  throw closing ? authorErrorAt(closing.line, message) : authorError(message);
}

/** The ids along a cycle, in the order of execution, the first one repeated at the end. */
function findCycle(draft: Draft): string[] | null {
  const waiting = new Map<string, number>();
  const downstream = new Map<string, string[]>();
  for (const [id, { definition }] of draft.tasks) {
    waiting.set(id, definition.upstream.length);
    for (const upstream of definition.upstream) {
      const known = downstream.get(upstream);
      if (known) known.push(id);
      else downstream.set(upstream, [id]);
    }
  }
  const ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    waiting.delete(id);
    for (const next of downstream.get(id) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  const start = waiting.keys().next().value;
  if (start === undefined) return null;
  // Every task that is left has an upstream that is left: walking up must come to a task seen before.
  const walked: string[] = [];
  let id: string | undefined = start;
  while (id !== undefined && !walked.includes(id)) {
    walked.push(id);
    id = draft.tasks.get(id)?.definition.upstream.find((upstream) => waiting.has(upstream));
  }
  if (id === undefined) return null;
  return [id, ...walked.slice(walked.indexOf(id)).toReversed()];
}
