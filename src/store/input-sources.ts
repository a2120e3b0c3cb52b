// What a task's inputs are resolved from: the facts and params of its run, the results of finished upstream tasks, and the
// items that an instance is mapped over.

import type { TaskDefinition } from "../core/definition.ts";
import type { DagGraph } from "../core/graph.ts";
import { type InputSources, listResultSources } from "../core/inputs.ts";
import type { Queryable } from "./database.ts";
import { type Reader, readKeyItems } from "./key-sources.ts";
import { runFacts, type RunRow } from "./run-row.ts";
import { readResults } from "./upstream-results.ts";

/** Errors: payload_too_large. */
export async function readInputSources(
  db: Queryable,
  row: RunRow,
  graph: DagGraph,
  task: TaskDefinition,
  { map_index, map_positions }: Reader,
): Promise<InputSources> {
  const [results, items] = await Promise.all([
    readResults(db, row.run_key, graph, listResultSources(task), {
      task_id: task.task_id,
      map_index,
    }),
    readKeyItems(db, [{ instance: { id: NOBODY, run_id: row.run_key, map_index, map_positions }, graph, task }]),
  ]);
  return { params: row.params, run: runFacts(row), results, items: items.get(NOBODY) ?? new Map() };
}

// One reader alone needs no name.
const NOBODY = "00000000-0000-0000-0000-000000000000";
