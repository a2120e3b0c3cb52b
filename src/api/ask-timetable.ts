// The ticks of custom timetables, which only the author's code knows.

import type { DagWithDefinition } from "../store/read-dags.ts";
import type { ApiOptions } from "./api-server.ts";

/** Other schedules need none. Errors: invalid_dag, unavailable. */
export async function askTimetable(
  computeTimes: ApiOptions["computeTimes"],
  { dag_id, version_id, definition }: DagWithDefinition,
  after: Date,
  until: Date,
  count: number,
): Promise<Date[]> {
  if (definition.schedule?.kind !== "custom") return [];
  return computeTimes({ dag_id, version_id, after, until, count });
}
