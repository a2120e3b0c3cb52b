// DAGs, their tasks and their sources in the REST API.

import { z } from "zod";
import { TRIGGER_RULES } from "../core/definition.ts";
import { schedule } from "./definition.ts";
import { freeObject, instant, orderByQuery, pageQuery, patternQuery, queryBoolean, queryInteger } from "./rest.ts";

const DAG_ORDER_FIELDS = ["dag_id", "is_paused", "last_parsed_time", "next_dagrun_run_after"] as const;

export const dagsQuery = z.strictObject({
  ...pageQuery,
  dag_id_pattern: patternQuery,
  paused: queryBoolean.optional(),
  tags: z.array(z.string()).max(50).optional(),
  tags_match_mode: z.enum(["any", "all"]).default("any"),
  /** DAGs whose file is gone are left out unless this is false. */
  exclude_stale: queryBoolean.default(true),
  order_by: orderByQuery(DAG_ORDER_FIELDS),
});

export const dagPath = z.strictObject({ dag_id: z.string() });
export const dagTaskPath = z.strictObject({ dag_id: z.string(), task_id: z.string() });

const dagFields = {
  dag_id: z.string(),
  dag_display_name: z.string(),
  description: z.string().nullable(),
  is_paused: z.boolean(),
  /** Why it is paused, when no person did it. */
  pause_reason: z.string().nullable(),
  /** Its file is gone: it takes no new runs. */
  is_stale: z.boolean(),
  has_import_errors: z.boolean(),
  /** Inside the dags folder. */
  fileloc: z.string(),
  relative_fileloc: z.string(),
  last_parsed_time: instant,
  /** The commit of the repository that the version came from; the code's content hash when it came from none. */
  bundle_version: z.string(),
  /** The code's content hash. */
  bundle_hash: z.string(),
  version_number: z.int(),
  tags: z.array(z.object({ dag_id: z.string(), dag_display_name: z.string(), name: z.string() })),
  timetable_summary: z.string().nullable(),
  timetable_description: z.string().nullable(),
  max_active_runs: z.int(),
  max_active_tasks: z.int(),
  next_dagrun_logical_date: instant.nullable(),
  next_dagrun_run_after: instant.nullable(),
};

export const dagAnswer = z.object(dagFields).meta({ id: "Dag" });
export type DagAnswer = z.infer<typeof dagAnswer>;
export const dagsAnswer = z.object({ dags: z.array(dagAnswer), total_entries: z.int() }).meta({ id: "DagCollection" });

export const taskAnswer = z
  .object({
    task_id: z.string(),
    task_display_name: z.string(),
    operator_name: z.string(),
    trigger_rule: z.enum(TRIGGER_RULES),
    upstream_task_ids: z.array(z.string()),
    downstream_task_ids: z.array(z.string()),
    retries: z.int(),
    retry_delay: z.number(),
    execution_timeout: z.number().nullable(),
    is_mapped: z.boolean(),
    doc_md: z.string().nullable(),
    /** Where each input comes from. */
    inputs: freeObject,
    /** The task's partial Kubernetes Pod. */
    pod: freeObject.nullable(),
  })
  .meta({ id: "Task" });
export type TaskAnswer = z.infer<typeof taskAnswer>;
export const tasksAnswer = z
  .object({ tasks: z.array(taskAnswer), total_entries: z.int() })
  .meta({ id: "TaskCollection" });

export const dagDetailsAnswer = z
  .object({
    ...dagFields,
    catchup: z.boolean(),
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    timezone: z.string().nullable(),
    schedule: schedule.nullable(),
    /** Assets that its runs wait for, {"any": […]}, {"all": […]} or {"asset": {…}}; null: none. */
    asset_expression: freeObject.nullable(),
    /** JSON Schema of a run's conf; null: it takes none. */
    params_schema: freeObject.nullable(),
    is_paused_upon_creation: z.boolean(),
    tasks: z.array(taskAnswer),
  })
  .meta({ id: "DagDetails" });
export type DagDetailsAnswer = z.infer<typeof dagDetailsAnswer>;

export const dagPatch = z.strictObject({ is_paused: z.boolean() }).meta({ id: "DagPatch" });
export const dagPatchQuery = z.strictObject({ update_mask: z.array(z.literal("is_paused")).optional() });

export const dagSourceQuery = z.strictObject({ version_number: queryInteger(1, 2 ** 31 - 1).optional() });
export const dagSourceAnswer = z
  .object({
    dag_id: z.string(),
    dag_display_name: z.string(),
    version_number: z.int(),
    /** The author's file. */
    content: z.string(),
    /** Every file that was bundled, packages aside. */
    files: z.array(z.object({ path: z.string(), content: z.string() })),
  })
  .meta({ id: "DagSource" });
