// Backfills and upcoming runs in the REST API.

import { z } from "zod";
import { REPROCESS_BEHAVIORS } from "../core/backfill.ts";
import { dagId } from "./definition.ts";
import { freeObject, instant, pageQuery, queryBoolean, queryInteger } from "./rest.ts";

/** A range may call for so many runs. */
export const MAX_BACKFILL_RUNS = 10_000;
export const MAX_NEXT_RUNS = 1_000;

export const nextRunsQuery = z.strictObject({
  /** The runs whose ticks are after it; now when it is left out. */
  from: instant.optional(),
  count: queryInteger(1, MAX_NEXT_RUNS).default(10),
});

const dates = {
  logical_date: instant,
  data_interval_start: instant,
  data_interval_end: instant,
};
export const nextRun = z.object({ ...dates, run_after: instant }).meta({ id: "NextRun" });
export type NextRun = z.infer<typeof nextRun>;
export const nextRunsAnswer = z
  .object({
    next_runs: z.array(nextRun),
    total_entries: z.int(),
    /** What a run beside these waits for, in one sentence; null when no asset starts runs. */
    waits_for: z.string().nullable(),
  })
  .meta({ id: "NextRunCollection" });

export const backfillsQuery = z.strictObject({
  ...pageQuery,
  dag_id: z.string().optional(),
  /** Whether it has not ended. */
  active: queryBoolean.optional(),
});

export const backfillPath = z.strictObject({ backfill_id: queryInteger(1, Number.MAX_SAFE_INTEGER) });

export const backfillRequest = z
  .strictObject({
    dag_id: dagId,
    /** The range of logical dates, both ends included. */
    from_date: instant,
    to_date: instant,
    /** Newest first. */
    run_backwards: z.boolean().default(false),
    /** The runs' params; must fit the DAG's params_schema. */
    dag_run_conf: freeObject.default({}),
    /** Which of the runs that exist are run again; queued and running ones never are. */
    reprocess_behavior: z.enum(REPROCESS_BEHAVIORS).default("none"),
    /** Of this backfill, beside the DAG's own. */
    max_active_runs: z.int().min(1).max(1_000).default(10),
  })
  .refine(({ from_date, to_date }) => Date.parse(from_date) <= Date.parse(to_date), {
    path: ["to_date"],
    message: "lies before from_date",
  })
  .meta({ id: "BackfillPost" });

export const dryRunAnswer = z
  .object({ backfills: z.array(z.object(dates)), total_entries: z.int() })
  .meta({ id: "DryRunBackfillCollection" });

export const backfillAnswer = z
  .object({
    id: z.int(),
    dag_id: z.string(),
    dag_display_name: z.string(),
    from_date: instant,
    to_date: instant,
    dag_run_conf: freeObject,
    is_paused: z.boolean(),
    reprocess_behavior: z.enum(REPROCESS_BEHAVIORS),
    run_backwards: z.boolean(),
    max_active_runs: z.int(),
    triggering_user_name: z.string().nullable(),
    created_at: instant,
    updated_at: instant,
    /** Its last run has ended, or it was cancelled. */
    completed_at: instant.nullable(),
    cancelled_at: instant.nullable(),
    /** Its dates: in all, and by what has become of them. */
    dates: z.object({
      total: z.int(),
      pending: z.int(),
      created: z.int(),
      reset: z.int(),
      /** Left alone, because their runs exist. */
      skipped: z.int(),
    }),
  })
  .meta({ id: "Backfill" });
export type BackfillAnswer = z.infer<typeof backfillAnswer>;
export const backfillsAnswer = z
  .object({ backfills: z.array(backfillAnswer), total_entries: z.int() })
  .meta({ id: "BackfillCollection" });
