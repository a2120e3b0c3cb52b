// Task instances and their tries.

import { dagRunPath } from "../contract/rest-dag-runs.ts";
import { ANY, parseOrdering, parseRanges } from "../contract/rest.ts";
import {
  emptyQuery,
  INSTANCE_RANGE_FIELDS,
  mappedInstancePath,
  mappedTryPath,
  mapQuery,
  taskInstanceAnswer,
  taskInstancePath,
  taskInstancesAnswer,
  taskInstancesQuery,
  triesAnswer,
  type TryAnswer,
  tryAnswer,
  tryPath,
} from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import type { Database } from "../store/database.ts";
import { listAttempts } from "../store/read-attempts.ts";
import { type InstanceKey, listTaskInstances } from "../store/read-task-instances.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { presentInstance, presentTries } from "./present-run.ts";
import { requireInstance, requireRunExists } from "./require-rows.ts";

const tags = ["TaskInstance"];
const LIST = "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances";

export function addTaskInstanceRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    LIST,
    {
      schema: {
        tags,
        operationId: "get_task_instances",
        summary: "List task instances; ~ stands for any DAG or run",
        params: dagRunPath,
        querystring: taskInstancesQuery,
        response: { 200: taskInstancesAnswer },
      },
    },
    async ({ params, query }) => {
      const page = await listTaskInstances(db, {
        limit: query.limit,
        offset: query.offset,
        dag_id: params.dag_id === ANY ? undefined : params.dag_id,
        dag_run_id: params.dag_run_id === ANY ? undefined : params.dag_run_id,
        task_ids: query.task_id,
        states: query.state,
        ranges: parseRanges(INSTANCE_RANGE_FIELDS, query),
        order: parseOrdering(query.order_by),
      });
      const isOneRun = params.dag_id !== ANY && params.dag_run_id !== ANY;
      if (page.total === 0 && isOneRun) await requireRunExists(db, params.dag_id, params.dag_run_id);
      return { task_instances: page.rows.map(presentInstance), total_entries: page.total };
    },
  );

  app.get(
    `${LIST}/:task_id`,
    {
      schema: {
        tags,
        operationId: "get_task_instance",
        summary: "Show a task instance",
        params: taskInstancePath,
        querystring: emptyQuery,
        response: { 200: taskInstanceAnswer },
      },
    },
    async ({ params }) => presentInstance(await requireInstance(db, { ...params, map_index: -1 })),
  );
  app.get(
    `${LIST}/:task_id/:map_index`,
    {
      schema: {
        tags,
        operationId: "get_mapped_task_instance",
        summary: "Show a mapped task instance",
        params: mappedInstancePath,
        querystring: emptyQuery,
        response: { 200: taskInstanceAnswer },
      },
    },
    async ({ params }) => presentInstance(await requireInstance(db, params)),
  );

  app.get(
    `${LIST}/:task_id/tries`,
    {
      schema: {
        tags,
        operationId: "get_task_instance_tries",
        summary: "List tries",
        params: taskInstancePath,
        querystring: mapQuery,
        response: { 200: triesAnswer },
      },
    },
    async ({ params, query }) => collect(await readTries(db, { ...params, ...query }, null)),
  );
  app.get(
    `${LIST}/:task_id/:map_index/tries`,
    {
      schema: {
        tags,
        operationId: "get_mapped_task_instance_tries",
        summary: "List tries of a mapped task instance",
        params: mappedInstancePath,
        querystring: emptyQuery,
        response: { 200: triesAnswer },
      },
    },
    async ({ params }) => collect(await readTries(db, params, null)),
  );
  app.get(
    `${LIST}/:task_id/tries/:try_number`,
    {
      schema: {
        tags,
        operationId: "get_task_instance_try_details",
        summary: "Show a try",
        params: tryPath,
        querystring: mapQuery,
        response: { 200: tryAnswer },
      },
    },
    async ({ params, query }) => requireTry(db, { ...params, ...query }, params.try_number),
  );
  app.get(
    `${LIST}/:task_id/:map_index/tries/:try_number`,
    {
      schema: {
        tags,
        operationId: "get_mapped_task_instance_try_details",
        summary: "Show a try of a mapped task instance",
        params: mappedTryPath,
        querystring: emptyQuery,
        response: { 200: tryAnswer },
      },
    },
    async ({ params }) => requireTry(db, params, params.try_number),
  );
}

const collect = (tries: TryAnswer[]) => ({ task_instances: tries, total_entries: tries.length });

async function readTries(db: Database, key: InstanceKey, tryNumber: number | null): Promise<TryAnswer[]> {
  const instance = await requireInstance(db, key);
  return presentTries(instance, await listAttempts(db, instance.id, tryNumber));
}

async function requireTry(db: Database, key: InstanceKey, tryNumber: number): Promise<TryAnswer> {
  const [found] = await readTries(db, key, tryNumber);
  if (!found) throw failure("not_found", `task instance "${key.task_id}" has no try ${tryNumber}`);
  return found;
}
