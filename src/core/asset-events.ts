// Events of assets as tasks emit and read them.

import type { TaskDefinition } from "./definition.ts";
import type { JsonObject } from "./json.ts";

/** Limits of one report: events, and bytes of JSON. */
export const MAX_EMITTED_EVENTS = 1_000;
export const MAX_EMITTED_BYTES = 256 * 1024;

export interface EmittedEvent {
  /** The asset's name. */
  asset: string;
  extra: JsonObject;
}

/** An event that the run consumed. All of its source is null when it came from outside. */
export interface ConsumedEvent {
  asset: string;
  uri: string;
  extra: JsonObject;
  /** ISO 8601 in UTC. */
  timestamp: string;
  source_dag_id: string | null;
  source_run_id: string | null;
  source_task_id: string | null;
  source_map_index: number | null;
}

/** The events of a task's success: what it emitted, and one without data for each outlet of which it said nothing. */
export function planAssetEvents(
  task: Pick<TaskDefinition, "outlets"> | undefined,
  emitted: readonly EmittedEvent[],
): EmittedEvent[] {
  return (task?.outlets ?? []).flatMap(({ name }) => {
    const said = emitted.filter((event) => event.asset === name);
    return said.length > 0 ? said : [{ asset: name, extra: {} }];
  });
}
