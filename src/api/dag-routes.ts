// DAGs: listing, showing, pausing, their tasks and their sources.

import {
  dagAnswer,
  dagDetailsAnswer,
  dagPatch,
  dagPatchQuery,
  dagPath,
  dagSourceAnswer,
  dagSourceQuery,
  dagsAnswer,
  dagsQuery,
  dagTaskPath,
  taskAnswer,
  tasksAnswer,
} from "../contract/rest-dags.ts";
import { parseOrdering } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { setDagPaused } from "../store/pause-dag.ts";
import { listDags, readDagSource } from "../store/read-dags.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { readAuthorFiles } from "./dag-source.ts";
import { presentDag, presentDagDetails, presentTasks } from "./present-dag.ts";
import { missingDag, requireDag } from "./require-rows.ts";

const tags = ["DAG"];

export function addDagRoutes(app: ApiServer, { db, clock }: ApiOptions): void {
  app.get(
    "/dags",
    {
      schema: {
        tags,
        operationId: "get_dags",
        summary: "List DAGs",
        querystring: dagsQuery,
        response: { 200: dagsAnswer },
      },
    },
    async ({ query }) => {
      const page = await listDags(db, {
        ...query,
        dag_id_pattern: query.dag_id_pattern,
        paused: query.paused,
        tags: query.tags,
        tags_match: query.tags_match_mode,
        order: parseOrdering(query.order_by),
      });
      return { dags: page.rows.map(presentDag), total_entries: page.total };
    },
  );

  app.get(
    "/dags/:dag_id",
    {
      schema: {
        tags,
        operationId: "get_dag",
        summary: "Show a DAG",
        params: dagPath,
        querystring: emptyQuery,
        response: { 200: dagAnswer },
      },
    },
    async ({ params }) => presentDag(await requireDag(db, params.dag_id)),
  );

  app.get(
    "/dags/:dag_id/details",
    {
      schema: {
        tags,
        operationId: "get_dag_details",
        summary: "Show a DAG with its definition",
        params: dagPath,
        querystring: emptyQuery,
        response: { 200: dagDetailsAnswer },
      },
    },
    async ({ params }) => presentDagDetails(await requireDag(db, params.dag_id)),
  );

  app.patch(
    "/dags/:dag_id",
    {
      schema: {
        tags,
        operationId: "patch_dag",
        summary: "Pause or unpause a DAG",
        params: dagPath,
        querystring: dagPatchQuery,
        body: dagPatch,
        response: { 200: dagAnswer },
      },
    },
    async ({ params, body, user, log }) => {
      if (!(await setDagPaused(db, params.dag_id, body.is_paused, user, clock.now()))) throw missingDag(params.dag_id);
      log.info({ dag_id: params.dag_id, is_paused: body.is_paused, user }, "DAG paused or unpaused");
      return presentDag(await requireDag(db, params.dag_id));
    },
  );

  app.get(
    "/dags/:dag_id/tasks",
    {
      schema: {
        tags,
        operationId: "get_tasks",
        summary: "List a DAG's tasks",
        params: dagPath,
        querystring: emptyQuery,
        response: { 200: tasksAnswer },
      },
    },
    async ({ params }) => {
      const { definition } = await requireDag(db, params.dag_id);
      return { tasks: presentTasks(definition), total_entries: definition.tasks.length };
    },
  );

  app.get(
    "/dags/:dag_id/tasks/:task_id",
    {
      schema: {
        tags,
        operationId: "get_task",
        summary: "Show a task",
        params: dagTaskPath,
        querystring: emptyQuery,
        response: { 200: taskAnswer },
      },
    },
    async ({ params }) => {
      const { definition } = await requireDag(db, params.dag_id);
      const task = presentTasks(definition).find(({ task_id }) => task_id === params.task_id);
      if (!task) throw failure("not_found", `DAG "${params.dag_id}" has no task "${params.task_id}"`);
      return task;
    },
  );

  app.get(
    "/dagSources/:dag_id",
    {
      schema: {
        tags,
        operationId: "get_dag_source",
        summary: "Show the author's files of a DAG",
        params: dagPath,
        querystring: dagSourceQuery,
        response: { 200: dagSourceAnswer },
      },
    },
    async ({ params, query }) => {
      const row = await readDagSource(db, params.dag_id, query.version_number ?? null);
      if (!row) throw failure("not_found", `there is no source of DAG "${params.dag_id}" in that version`);
      const { content, files } = readAuthorFiles(row.source_map, row.relative_fileloc);
      return {
        dag_id: params.dag_id,
        dag_display_name: params.dag_id,
        version_number: row.version_number,
        content,
        files,
      };
    },
  );
}
