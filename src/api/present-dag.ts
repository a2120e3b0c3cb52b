// Rows of DAGs as answers.

import type { DagAnswer, DagDetailsAnswer, TaskAnswer } from "../contract/rest-dags.ts";
import { describeCondition } from "../core/asset-condition.ts";
import type { AssetCondition, DagDefinition, TaskDefinition } from "../core/definition.ts";
import { describeSchedule, summarizeSchedule } from "../core/describe-schedule.ts";
import type { JsonObject } from "../core/json.ts";
import type { DagRow, DagWithDefinition } from "../store/read-dags.ts";
import { isoOf } from "./present-date.ts";

export function presentDag(row: DagRow): DagAnswer {
  return {
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    description: row.description,
    is_paused: row.is_paused,
    pause_reason: row.pause_reason,
    is_stale: row.is_stale,
    has_import_errors: row.has_import_errors,
    fileloc: row.relative_fileloc,
    relative_fileloc: row.relative_fileloc,
    last_parsed_time: row.last_parsed_time.toISOString(),
    bundle_version: row.repository_commit ?? row.bundle_hash,
    bundle_hash: row.bundle_hash,
    version_number: row.version_number,
    tags: row.tags.map((name) => ({ dag_id: row.dag_id, dag_display_name: row.dag_id, name })),
    timetable_summary: joinSchedules(row.schedule && summarizeSchedule(row.schedule), row.assets && "Asset"),
    timetable_description: joinSchedules(
      row.schedule && describeSchedule(row.schedule),
      row.assets && `after events of ${describeCondition(row.assets)}`,
    ),
    max_active_runs: row.max_active_runs,
    max_active_tasks: row.max_active_tasks,
    next_dagrun_logical_date: isoOf(row.next_logical_date),
    next_dagrun_run_after: isoOf(row.next_run_after),
  };
}

export function presentDagDetails(row: DagWithDefinition): DagDetailsAnswer {
  const { definition } = row;
  return {
    ...presentDag(row),
    catchup: definition.catchup,
    start_date: definition.start_date,
    end_date: definition.end_date,
    timezone: definition.schedule && "timezone" in definition.schedule ? definition.schedule.timezone : null,
    schedule: definition.schedule,
    asset_expression: row.assets && presentCondition(row.assets),
    params_schema: definition.params_schema,
    is_paused_upon_creation: definition.is_paused_upon_creation,
    tasks: presentTasks(definition),
  };
}

function joinSchedules(time: string | null, assets: string | null): string | null {
  return time === null || assets === null ? (time ?? assets) : `${time}, or ${assets}`;
}

/** In Airflow's form: {"any": [{"asset": {…}}, …]} */
function presentCondition(condition: AssetCondition): JsonObject {
  if (condition.kind === "asset") return { asset: condition.asset };
  return { [condition.kind]: condition.of.map(presentCondition) };
}

export function presentTasks(definition: DagDefinition): TaskAnswer[] {
  const downstream = new Map<string, string[]>(definition.tasks.map((task) => [task.task_id, []]));
  for (const task of definition.tasks) {
    for (const upstream of task.upstream) downstream.get(upstream)?.push(task.task_id);
  }
  return definition.tasks.map((task) => presentTask(task, downstream.get(task.task_id) ?? []));
}

function presentTask(task: TaskDefinition, downstream: string[]): TaskAnswer {
  return {
    task_id: task.task_id,
    task_display_name: task.task_id,
    operator_name: task.kind,
    trigger_rule: task.trigger_rule,
    upstream_task_ids: task.upstream,
    downstream_task_ids: downstream,
    retries: task.retries,
    retry_delay: task.retry_delay,
    execution_timeout: task.execution_timeout,
    is_mapped: task.map !== undefined,
    doc_md: task.description,
    inputs: Object.fromEntries(Object.entries(task.inputs).map(([name, expression]) => [name, { ...expression }])),
    pod: task.pod,
  };
}
