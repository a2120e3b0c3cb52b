// Runs: listing, showing, triggering.

import {
  dagRunAnswer,
  dagRunPath,
  dagRunsAnswer,
  dagRunsQuery,
  RUN_RANGE_FIELDS,
  triggerRequest,
} from "../contract/rest-dag-runs.ts";
import { dagPath } from "../contract/rest-dags.ts";
import { ANY, parseOrdering, parseRanges } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { dagExists } from "../store/read-dags.ts";
import { listDagRuns } from "../store/read-dag-runs.ts";
import { createManualRun } from "../store/run-creation.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { presentRun } from "./present-run.ts";
import { missingDag, requireDag, requireDagRun } from "./require-rows.ts";
import { createParamsChecker } from "./trigger-params.ts";

const tags = ["DagRun"];

export function addDagRunRoutes(app: ApiServer, { db, clock }: ApiOptions): void {
  const checker = createParamsChecker();

  app.get(
    "/dags/:dag_id/dagRuns",
    {
      schema: {
        tags,
        operationId: "get_dag_runs",
        summary: "List runs; ~ stands for any DAG",
        params: dagPath,
        querystring: dagRunsQuery,
        response: { 200: dagRunsAnswer },
      },
    },
    async ({ params, query }) => {
      const dagId = params.dag_id === ANY ? undefined : params.dag_id;
      const page = await listDagRuns(db, {
        limit: query.limit,
        offset: query.offset,
        dag_id: dagId,
        states: query.state,
        run_types: query.run_type,
        run_id_pattern: query.run_id_pattern,
        ranges: parseRanges(RUN_RANGE_FIELDS, query),
        order: parseOrdering(query.order_by),
      });
      // An empty list and a DAG that does not exist are told apart, at the cost of a look only when it is empty.
      if (page.total === 0 && dagId !== undefined && !(await dagExists(db, dagId))) throw missingDag(dagId);
      return { dag_runs: page.rows.map(presentRun), total_entries: page.total };
    },
  );

  app.post(
    "/dags/:dag_id/dagRuns",
    {
      schema: {
        tags,
        operationId: "trigger_dag_run",
        summary: "Trigger a run",
        params: dagPath,
        querystring: emptyQuery,
        body: triggerRequest,
        response: { 200: dagRunAnswer },
      },
    },
    async ({ params, body, user, log }) => {
      const dag = await requireDag(db, params.dag_id);
      const conf = body.conf ?? {};
      const checked = checker.check(
        { dag_id: dag.dag_id, version_id: dag.version_id, params_schema: dag.definition.params_schema },
        conf,
      );
      const run = await createManualRun(
        db,
        {
          dag_id: dag.dag_id,
          dag_run_id: body.dag_run_id,
          logical_date: body.logical_date,
          run_after: body.run_after,
          conf,
          params: checked,
          note: body.note,
          triggered_by: "rest_api",
          user,
        },
        clock.now(),
      );
      log.info({ dag_id: dag.dag_id, dag_run_id: run.dag_run_id, user }, "run triggered");
      return presentRun(await requireDagRun(db, dag.dag_id, run.dag_run_id));
    },
  );

  app.get(
    "/dags/:dag_id/dagRuns/:dag_run_id",
    {
      schema: {
        tags,
        operationId: "get_dag_run",
        summary: "Show a run",
        params: dagRunPath,
        querystring: emptyQuery,
        response: { 200: dagRunAnswer },
      },
    },
    async ({ params }) => presentRun(await requireDagRun(db, params.dag_id, params.dag_run_id)),
  );
}
