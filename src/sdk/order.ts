// The order of tasks and groups: what before() and after() say, and that it has no cycle.

import { type AuthorsLine, authorError, authorErrorAt } from "./author-error.ts";
import type { Draft, Place } from "./draft.ts";

export function addOrder(draft: Draft, upstream: Place, downstream: Place, line: AuthorsLine): void {
  if (upstream.kind === "group" || downstream.kind === "group") {
    for (const [one, other] of [
      [upstream, downstream],
      [downstream, upstream],
    ] as const) {
      if (one.kind !== "group" || !isInside(draft, other, one.id)) continue;
      const what = one.id === other.id ? "itself" : `what is inside of it, ${other.kind} "${other.id}"`;
      throw authorError(
        `DAG "${draft.dagId}": group "${one.id}" cannot be put in order with ${what}. Remove this line.`,
      );
    }
    draft.groupOrders.push({ upstream, downstream, line });
    return;
  }
  if (upstream.id === downstream.id) {
    throw authorError(`DAG "${draft.dagId}": task "${upstream.id}" cannot wait for itself. Remove this line.`);
  }
  addEdge(draft, upstream.id, downstream.id, line);
}

function addEdge(draft: Draft, upstream: string, downstream: string, line: AuthorsLine): void {
  draft.orders.push({ upstream, downstream, line });
  const known = draft.tasks.get(downstream)?.definition.upstream;
  if (known && !known.includes(upstream)) known.push(upstream);
}

/** Turns order with groups into edges: what comes after a group waits for its last tasks, its first tasks for what is before. */
export function resolveGroupOrders(draft: Draft): void {
  // Found before any of the edges is made: those between the groups inside of a group must not change who is first.
  const edges = draft.groupOrders.flatMap(({ upstream, downstream, line }) =>
    findLast(draft, upstream).flatMap((before) =>
      findFirst(draft, downstream).map((after) => [before, after, line] as const),
    ),
  );
  for (const [before, after, line] of edges) addEdge(draft, before, after, line);
}

function isInside(draft: Draft, place: Place, groupId: string): boolean {
  const parentOf = (id: string | undefined) => draft.groups.find((group) => group.group_id === id)?.parent;
  const start = place.kind === "group" ? place.id : draft.tasks.get(place.id)?.definition.group;
  for (let group = start; group !== undefined; group = parentOf(group)) if (group === groupId) return true;
  return false;
}

function listMembers(draft: Draft, groupId: string) {
  return [...draft.tasks.values()]
    .map(({ definition }) => definition)
    .filter(({ task_id, kind }) => kind !== "expand" && isInside(draft, { kind: "task", id: task_id }, groupId));
}

function findFirst(draft: Draft, place: Place): string[] {
  if (place.kind === "task") return [place.id];
  const members = listMembers(draft, place.id);
  const inside = new Set(members.map(({ task_id }) => task_id));
  return [...inside].filter((id) => !draft.tasks.get(id)?.definition.upstream.some((upstream) => inside.has(upstream)));
}

/** A teardown at the end holds nobody up: those before it count. */
function findLast(draft: Draft, place: Place): string[] {
  if (place.kind === "task") return [place.id];
  const members = listMembers(draft, place.id);
  const byId = new Map(members.map((member) => [member.task_id, member]));
  const waitedFor = new Set(members.flatMap(({ upstream }) => upstream));
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (id: string): void => {
    const member = byId.get(id);
    if (!member || seen.has(id)) return;
    seen.add(id);
    if (member.role !== "teardown") found.add(id);
    else member.upstream.filter((upstream) => byId.get(upstream)?.role !== "setup").forEach(visit);
  };
  for (const { task_id } of members) if (!waitedFor.has(task_id)) visit(task_id);
  return [...found];
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
  // The tasks of a mapped group come after the one that expands it.
  const upstreamOf = (id: string): string[] => {
    const task = draft.tasks.get(id);
    if (!task) return [];
    return task.expander === null ? task.definition.upstream : [...task.definition.upstream, task.expander];
  };
  const waiting = new Map<string, number>();
  const downstream = new Map<string, string[]>();
  for (const id of draft.tasks.keys()) {
    waiting.set(id, upstreamOf(id).length);
    for (const upstream of upstreamOf(id)) {
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
    id = upstreamOf(id).find((upstream) => waiting.has(upstream));
  }
  if (id === undefined) return null;
  return [id, ...walked.slice(walked.indexOf(id)).toReversed()];
}
