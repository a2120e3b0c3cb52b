// What people do to runs and task instances in the REST API: clear, mark, cancel, run again. Bodies are those of Airflow's API
// v2; answers say for each instance what it was and what it becomes, the same whether it is a preview or done.

import { z } from "zod";
import { MARKS } from "../core/plan-mark.ts";
import { RUN_STATES, TASK_STATES } from "../core/states.ts";
import { freeJson, freeObject, queryInteger } from "./rest.ts";
import { dagRunAnswer, runId } from "./rest-dag-runs.ts";

const mapIndex = z.int().min(-1);
/** A task id, or a task id and a map index: one instance of a mapped task. */
const chosenTask = z.union([z.string(), z.tuple([z.string(), mapIndex])]);

const spread = {
  include_upstream: z.boolean().default(false),
  include_downstream: z.boolean().default(false),
  /** Runs of later, of earlier logical dates too. */
  include_future: z.boolean().default(false),
  include_past: z.boolean().default(false),
};

export const clearRequest = z
  .strictObject({
    /** true: only says what would change. */
    dry_run: z.boolean().default(true),
    dag_run_id: z.string(),
    /** null: all tasks. */
    task_ids: z.array(chosenTask).min(1).max(1_000).nullable().default(null),
    only_failed: z.boolean().default(true),
    only_running: z.boolean().default(false),
    ...spread,
    /** The run goes on with the DAG's newest version. */
    run_on_latest_version: z.boolean().default(false),
  })
  .meta({ id: "ClearTaskInstances" });

export const clearRunRequest = z
  .strictObject({
    dry_run: z.boolean().default(true),
    only_failed: z.boolean().default(false),
    run_on_latest_version: z.boolean().default(false),
  })
  .meta({ id: "ClearDagRun" });

export const markRequest = z.strictObject({ new_state: z.enum(MARKS), ...spread }).meta({ id: "PatchTaskInstance" });

export const patchRunRequest = z
  .strictObject({
    /** queued: clear all of it. */
    state: z.enum(["queued", "success", "failed"]).optional(),
    note: z.string().max(1_000).nullable().optional(),
  })
  .meta({ id: "PatchDagRun" });

export const cancelRequest = z.strictObject({ dry_run: z.boolean().default(false) }).meta({ id: "Cancel" });
export const anyMapQuery = z.strictObject({ map_index: queryInteger(-1, 2 ** 31 - 1).optional() });

export const rerunRequest = z
  .strictObject({
    dry_run: z.boolean().default(false),
    /** Executed, with all below them; what else succeeded is taken over with its results. */
    task_ids: z.array(z.string()).min(1).max(1_000),
    /** Made from the time when it is left out. */
    new_dag_run_id: runId.nullable().default(null),
    /** null: that of the old run. */
    conf: freeObject.nullable().default(null),
    /** Other results for tasks that are taken over: what the tasks below get as inputs. Of a map, an array of its successes'. */
    results: z.record(z.string(), freeJson).default({}),
    run_on_latest_version: z.boolean().default(false),
    note: z.string().max(1_000).nullable().default(null),
  })
  .meta({ id: "RerunDagRun" });

export const rerunAnswer = z
  .object({
    /** null: a preview. */
    dag_run: dagRunAnswer.nullable(),
    version_number: z.int(),
    taken_over: z.array(
      z.object({
        task_id: z.string(),
        state: z.enum(["success", "skipped"]),
        /** How many, of a map; null: it is not mapped, or was not expanded. */
        instances: z.int().nullable(),
      }),
    ),
    executed: z.array(z.string()),
  })
  .meta({ id: "Rerun" });

const instanceChangeAnswer = z
  .object({
    id: z.uuid(),
    dag_id: z.string(),
    dag_run_id: z.string(),
    task_id: z.string(),
    map_index: z.int(),
    try_number: z.int(),
    max_tries: z.int(),
    /** Before. */
    state: z.enum(TASK_STATES).nullable(),
    /** null: it is judged by its trigger rule and executed again; restarting: as soon as its attempt has ended. */
    new_state: z.enum(TASK_STATES).nullable(),
    /** An attempt of it is under way and has to end. */
    ends_attempt: z.boolean(),
  })
  .meta({ id: "TaskInstanceChange" });

export const changesAnswer = z
  .object({
    task_instances: z.array(instanceChangeAnswer),
    total_entries: z.int(),
    /** Runs whose own state or version changes at once; a run that goes on is not among them. */
    dag_runs: z.array(
      z.object({
        dag_run_id: z.string(),
        state: z.enum(RUN_STATES),
        new_state: z.enum(RUN_STATES),
        /** It moves to the DAG's newest version, which adds these tasks. */
        moves_version: z.boolean(),
        added_tasks: z.array(z.string()),
      }),
    ),
    dry_run: z.boolean(),
  })
  .meta({ id: "Changes" });
export type ChangesAnswer = z.infer<typeof changesAnswer>;
