// What can be reached from some nodes of a graph.

/** Everything that follows from `ids`, step by step; one of `ids` itself only if a way leads back to it. */
export function reach(ids: Iterable<string>, next: (id: string) => readonly string[] | undefined): Set<string> {
  const found = new Set([...ids].flatMap((id) => next(id) ?? []));
  // The set grows while it is walked.
  for (const id of found) for (const other of next(id) ?? []) found.add(other);
  return found;
}
