// Assets, their events and what waits for them, in the REST API.

import { z } from "zod";
import { RUN_STATES } from "../core/states.ts";
import { freeObject, instant, orderByQuery, pageQuery, patternQuery, queryInteger, rangeQuery } from "./rest.ts";

const assetId = (minimum = 1) => queryInteger(minimum, Number.MAX_SAFE_INTEGER);

const ASSET_ORDER_FIELDS = ["id", "name", "uri", "created_at", "updated_at"] as const;
export const assetsQuery = z.strictObject({
  ...pageQuery,
  /** Exactly this name. */
  name: z.string().optional(),
  name_pattern: patternQuery,
  uri_pattern: patternQuery,
  /** Assets that one of these DAGs waits for or produces. */
  dag_ids: z.array(z.string()).max(100).optional(),
  order_by: orderByQuery(ASSET_ORDER_FIELDS),
});
export const assetPath = z.strictObject({ asset_id: assetId() });

const assetFields = {
  id: z.int(),
  name: z.string(),
  uri: z.string(),
  group: z.string(),
  extra: freeObject,
  created_at: instant,
  updated_at: instant,
};

export const assetAnswer = z
  .object({
    ...assetFields,
    /** DAGs that wait for it. */
    scheduled_dags: z.array(z.object({ dag_id: z.string(), created_at: instant })),
    /** Tasks that it is an outlet of. */
    producing_tasks: z.array(z.object({ dag_id: z.string(), task_id: z.string(), created_at: instant })),
    last_asset_event: z.object({ id: z.int(), timestamp: instant }).nullable(),
  })
  .meta({ id: "Asset" });
export type AssetAnswer = z.infer<typeof assetAnswer>;
export const assetsAnswer = z
  .object({ assets: z.array(assetAnswer), total_entries: z.int() })
  .meta({ id: "AssetCollection" });

export const EVENT_ORDER_FIELDS = ["id", "timestamp"] as const;
export const EVENT_RANGE_FIELDS = ["timestamp"] as const;
export const assetEventsQuery = z.strictObject({
  ...pageQuery,
  ...rangeQuery(EVENT_RANGE_FIELDS),
  asset_id: assetId().optional(),
  source_dag_id: z.string().optional(),
  source_run_id: z.string().optional(),
  source_task_id: z.string().optional(),
  source_map_index: queryInteger(-1, 2 ** 31 - 1).optional(),
  order_by: orderByQuery(EVENT_ORDER_FIELDS),
});

/** An event from outside. */
export const assetEventRequest = z
  .strictObject({ asset_id: z.int().min(1), extra: freeObject.default({}) })
  .meta({ id: "CreateAssetEventsBody" });

export const assetEventAnswer = z
  .object({
    id: z.int(),
    asset_id: z.int(),
    name: z.string(),
    uri: z.string(),
    group: z.string(),
    extra: freeObject,
    timestamp: instant,
    /** All null when it came from outside; the map index of a task that is not mapped is -1. */
    source_dag_id: z.string().nullable(),
    source_run_id: z.string().nullable(),
    source_task_id: z.string().nullable(),
    source_map_index: z.int().nullable(),
    /** The runs that consumed it, one for each DAG at most. */
    created_dagruns: z.array(
      z.object({
        dag_id: z.string(),
        dag_run_id: z.string(),
        state: z.enum(RUN_STATES),
        run_after: instant,
        start_date: instant.nullable(),
        end_date: instant.nullable(),
      }),
    ),
  })
  .meta({ id: "AssetEvent" });
export type AssetEventAnswer = z.infer<typeof assetEventAnswer>;
export const assetEventsAnswer = z
  .object({ asset_events: z.array(assetEventAnswer), total_entries: z.int() })
  .meta({ id: "AssetEventCollection" });

/** Assets whose events the DAG has not consumed yet. */
export const queuedEventsAnswer = z
  .object({
    queued_events: z.array(
      z.object({
        dag_id: z.string(),
        dag_display_name: z.string(),
        asset_id: z.int(),
        name: z.string(),
        /** When the first of them came. */
        created_at: instant,
        events: z.int(),
      }),
    ),
    total_entries: z.int(),
    /** What a run waits for, in one sentence; null when no asset starts the DAG's runs. */
    waits_for: z.string().nullable(),
  })
  .meta({ id: "QueuedEventCollection" });
