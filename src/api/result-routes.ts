// What tasks returned, under Airflow's name for it.

import { ANY } from "../contract/rest.ts";
import {
  mapQuery,
  RESULT_KEY,
  resultAnswer,
  type ResultEntryAnswer,
  resultPath,
  resultsAnswer,
  resultsQuery,
  taskInstancePath,
} from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { listResults, readResult, type ResultEntryRow } from "../store/read-results.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { isoOf } from "./present-date.ts";

const tags = ["XCom"];
const LIST = "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/xcomEntries";

export function addResultRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    LIST,
    {
      schema: {
        tags,
        operationId: "get_xcom_entries",
        summary: "List results; ~ stands for any DAG, run or task",
        params: taskInstancePath,
        querystring: resultsQuery,
        response: { 200: resultsAnswer },
      },
    },
    async ({ params, query }) => {
      const page = await listResults(db, {
        limit: query.limit,
        offset: query.offset,
        dag_id: params.dag_id === ANY ? undefined : params.dag_id,
        dag_run_id: params.dag_run_id === ANY ? undefined : params.dag_run_id,
        task_id: params.task_id === ANY ? undefined : params.task_id,
        map_index: query.map_index,
      });
      return { xcom_entries: page.rows.map(presentEntry), total_entries: page.total };
    },
  );

  app.get(
    `${LIST}/:xcom_key`,
    {
      schema: {
        tags,
        operationId: "get_xcom_entry",
        summary: "Show a task's result",
        params: resultPath,
        querystring: mapQuery,
        response: { 200: resultAnswer },
      },
    },
    async ({ params, query }) => {
      const row = params.xcom_key === RESULT_KEY ? await readResult(db, { ...params, ...query }) : null;
      if (!row)
        throw failure(
          "not_found",
          `task instance "${params.task_id}" has no entry "${params.xcom_key}"; results are under "${RESULT_KEY}"`,
        );
      return { ...presentEntry(row), value: row.value };
    },
  );
}

function presentEntry(row: ResultEntryRow): ResultEntryAnswer {
  return {
    key: RESULT_KEY,
    timestamp: row.created_at.toISOString(),
    logical_date: isoOf(row.logical_date),
    map_index: row.map_index,
    task_id: row.task_id,
    dag_id: row.dag_id,
    run_id: row.dag_run_id,
  };
}
