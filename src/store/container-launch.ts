// A container's environment and arguments, for the launch of an attempt that has no worker to ask for them.

import { type ContainerResolution, resolveContainer } from "../core/container.ts";
import type { ContainerDefinition, TaskDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import type { DagGraph } from "../core/graph.ts";
import { resolveInputs } from "../core/inputs.ts";
import type { Queryable } from "./database.ts";
import { readInputSources } from "./input-sources.ts";
import type { Reader } from "./key-sources.ts";
import { RUN_COLUMNS, type RunRow } from "./run-row.ts";

export type PreparedContainer =
  | ContainerResolution
  /** Such a container cannot be refused when it starts, so it may not be made while an earlier one may still run. */
  | { kind: "occupied"; reason: string };

export async function prepareContainer(
  db: Queryable,
  graph: DagGraph,
  task: TaskDefinition,
  container: ContainerDefinition,
  attemptId: string,
): Promise<PreparedContainer> {
  const { rows } = await db.query<RunRow & Reader & { occupied_by: string | null }>({
    name: "read_run_of_attempt",
    text: `select ${RUN_COLUMNS}, t.map_index, t.map_positions,
        (select old.pod_name from attempt old where old.task_instance_id = t.id and old.epoch < a.epoch
          and old.cleaned_at is null and old.pod_gone_at is null limit 1) as occupied_by
      from attempt a join task_instance t on t.id = a.task_instance_id join dag_run r on r.id = t.run_id where a.id = $1`,
    values: [attemptId],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `attempt ${attemptId} and its run were deleted`);
  if (row.occupied_by !== null) {
    return { kind: "occupied", reason: `The pod of the attempt before, ${row.occupied_by}, is still there` };
  }
  const sources = await readInputSources(db, row, graph, task, row);
  return resolveContainer(task, container, resolveInputs(task, sources));
}
