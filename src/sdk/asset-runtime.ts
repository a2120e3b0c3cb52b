// What a running task does with assets: it attaches data to the events of its outlets, and reads the events of its run.

import type { ConsumedEvent } from "../core/asset-events.ts";
import type { JsonObject } from "../core/json.ts";
import type { Asset } from "./asset.ts";

export interface OutletOptions<Name extends string> {
  /** Assets that the task produces: its success is an event of each. */
  outlets?: readonly Asset<Name>[];
}

/** The part of a task's runtime for assets. `Outlet` are the names of the task's own outlets. */
export interface TaskAssets<Outlet extends string> {
  readonly assets: {
    /** An event of an outlet with data of its own; it takes effect when the task succeeds. Several are several events. */
    emit(outlet: Asset<Outlet>, extra?: JsonObject): void;
  };
  /** The events that started the run, oldest first; empty for other runs. Of more than 1,000, the newest. */
  readonly asset_events: readonly ConsumedEvent[];
}
