// Runs in the REST API, and what triggers one.

import { z } from "zod";
import { RUN_ACTIONS } from "../core/allowed-actions.ts";
import { RUN_STATES, RUN_TYPES } from "../core/states.ts";
import { ANY, freeObject, instant, orderByQuery, pageQuery, patternQuery, rangeQuery } from "./rest.ts";

const RUN_ORDER_FIELDS = [
  "id",
  "dag_id",
  "dag_run_id",
  "run_type",
  "state",
  "logical_date",
  "run_after",
  "queued_at",
  "start_date",
  "end_date",
  "duration",
] as const;
export const RUN_RANGE_FIELDS = ["run_after", "logical_date", "start_date", "end_date"] as const;

export const dagRunsQuery = z.strictObject({
  ...pageQuery,
  ...rangeQuery(RUN_RANGE_FIELDS),
  state: z.array(z.enum(RUN_STATES)).optional(),
  run_type: z.array(z.enum(RUN_TYPES)).optional(),
  run_id_pattern: patternQuery,
  order_by: orderByQuery(RUN_ORDER_FIELDS),
});

export const dagRunPath = z.strictObject({ dag_id: z.string(), dag_run_id: z.string() });

export const runId = z
  .string()
  .min(1)
  .max(250)
  .regex(/^[A-Za-z0-9_.~:+-]+$/, 'a run id may hold letters, digits and "_", ".", "~", ":", "+", "-"')
  .refine((id) => id !== ANY && id !== "." && id !== "..", "this run id could not be told from a path's own signs");

export const triggerRequest = z
  .strictObject({
    /** Made from the run's time when it is left out. */
    dag_run_id: runId.nullable().default(null),
    logical_date: instant.nullable().default(null),
    /** Not before; now when it is left out. */
    run_after: instant.nullable().default(null),
    /** The run's params; must fit the DAG's params_schema, whose defaults are filled in. */
    conf: freeObject.nullable().default(null),
    note: z.string().max(1_000).nullable().default(null),
  })
  .meta({ id: "TriggerDagRun" });

export const dagVersionAnswer = z.object({
  id: z.int(),
  dag_id: z.string(),
  version_number: z.int(),
  /** The commit of the repository that it came from; the code's content hash when it came from none. */
  bundle_version: z.string(),
  /** The code's content hash. */
  bundle_hash: z.string(),
  created_at: instant,
});

export const dagRunAnswer = z
  .object({
    dag_id: z.string(),
    dag_display_name: z.string(),
    dag_run_id: z.string(),
    run_type: z.enum(RUN_TYPES),
    state: z.enum(RUN_STATES),
    logical_date: instant.nullable(),
    data_interval_start: instant.nullable(),
    data_interval_end: instant.nullable(),
    run_after: instant,
    queued_at: instant,
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    /** Seconds from start to end; null until it has ended. */
    duration: z.number().nullable(),
    /** The params as they were given. */
    conf: freeObject,
    /** With the schema's defaults: what the tasks see. */
    params: freeObject,
    note: z.string().nullable(),
    triggered_by: z.string(),
    triggering_user_name: z.string().nullable(),
    bundle_version: z.string(),
    dag_versions: z.array(dagVersionAnswer),
    /** The backfill that made or repeated it. */
    backfill_id: z.int().nullable(),
    /** Why it is in its state, in one sentence, when that needs saying. */
    reason: z.string().nullable(),
    /** What may be done to it in its state. */
    allowed_actions: z.array(z.enum(RUN_ACTIONS)),
  })
  .meta({ id: "DagRun" });
export type DagRunAnswer = z.infer<typeof dagRunAnswer>;
export const dagRunsAnswer = z
  .object({ dag_runs: z.array(dagRunAnswer), total_entries: z.int() })
  .meta({ id: "DagRunCollection" });
