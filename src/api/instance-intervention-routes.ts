// Clearing, marking and cancelling task instances. A preview is the same call with dry_run.

import { dagPath } from "../contract/rest-dags.ts";
import {
  anyMapQuery,
  cancelRequest,
  changesAnswer,
  clearRequest,
  markRequest,
} from "../contract/rest-interventions.ts";
import { emptyQuery, mappedInstancePath, taskInstancePath } from "../contract/rest-task-instances.ts";
import type { ChosenTask } from "../core/intervention.ts";
import type { MarkRequest } from "../core/plan-mark.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { checkInstances } from "./intervention-checks.ts";
import { type Act, performIntervention, sayWho } from "./perform-intervention.ts";

const INSTANCE = "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id";

interface Marking {
  place: { dag_id: string; dag_run_id: string };
  task: ChosenTask;
  as: MarkRequest["as"];
  user: string | null;
  dry_run: boolean;
  include?: Parameters<typeof spreadOf>[0] & { include_past: boolean; include_future: boolean };
}

export function addInstanceInterventionRoutes(app: ApiServer, options: ApiOptions): void {
  const act = (call: Act) => performIntervention(options, call);
  const response = { 200: changesAnswer };

  app.post(
    "/dags/:dag_id/clearTaskInstances",
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "post_clear_task_instances",
        summary: "Clear task instances so that they run again; with dry_run (the default), only show what would change",
        params: dagPath,
        querystring: emptyQuery,
        body: clearRequest,
        response,
      },
    },
    async ({ params, body, user }) => {
      const { dag_run_id, only_failed, only_running } = body;
      const tasks = body.task_ids?.map(toChosen) ?? null;
      const request = { tasks, only_failed, only_running, ...spreadOf(body), reason: `cleared by ${sayWho(user)}` };
      return act({
        ...params,
        dag_run_id,
        user,
        event: "clear_task_instances",
        task: tasks?.length === 1 ? tasks[0] : undefined,
        intervention: { kind: "clear", request, newest: body.run_on_latest_version },
        dry_run: body.dry_run,
        past: body.include_past,
        future: body.include_future,
        check: checkInstances(dag_run_id, tasks ?? [], "clear", only_failed || only_running),
      });
    },
  );

  const mark = ({ place, task, as, user, dry_run, include }: Marking) => {
    const action = as === "cancelled" ? "cancel" : (`mark_${as}` as const);
    const spread = include ? spreadOf(include) : { upstream: false, downstream: false };
    const reason = `${as === "cancelled" ? "cancelled" : `marked ${as}`} by ${sayWho(user)}`;
    return act({
      ...place,
      user,
      event: action === "cancel" ? "cancel_task_instance" : "patch_task_instance",
      task,
      intervention: { kind: "mark", request: { tasks: [task], as, ...spread, reason } },
      dry_run,
      past: include?.include_past ?? false,
      future: include?.include_future ?? false,
      check: checkInstances(place.dag_run_id, [task], action, false),
    });
  };

  for (const { path, dry_run, operationId } of [
    { path: INSTANCE, dry_run: false, operationId: "patch_task_instance" },
    { path: `${INSTANCE}/dry_run`, dry_run: true, operationId: "patch_task_instance_dry_run" },
  ]) {
    const summary = dry_run ? "Show what marking would change" : "Mark a task instance success, failed or skipped";
    app.patch(
      path,
      {
        schema: {
          tags: ["TaskInstance"],
          operationId,
          summary,
          params: taskInstancePath,
          querystring: anyMapQuery,
          body: markRequest,
          response,
        },
      },
      async ({ params: { task_id, ...place }, query, body, user }) =>
        mark({
          place,
          task: { task_id, map_index: query.map_index ?? null },
          as: body.new_state,
          user,
          dry_run,
          include: body,
        }),
    );
    app.patch(
      path.replace(INSTANCE, `${INSTANCE}/:map_index`),
      {
        schema: {
          tags: ["TaskInstance"],
          operationId: operationId.replace("task_instance", "mapped_task_instance"),
          summary: `${summary}, of a mapped task`,
          params: mappedInstancePath,
          querystring: emptyQuery,
          body: markRequest,
          response,
        },
      },
      async ({ params: { task_id, map_index, ...place }, body, user }) =>
        mark({
          place,
          task: { task_id, map_index },
          as: body.new_state,
          user,
          dry_run,
          include: body,
        }),
    );
  }

  app.post(
    `${INSTANCE}/cancel`,
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "cancel_task_instance",
        summary: "Cancel a task instance: its attempt ends, and it fails without another try",
        params: taskInstancePath,
        querystring: anyMapQuery,
        body: cancelRequest,
        response,
      },
    },
    async ({ params: { task_id, ...place }, query, body, user }) =>
      mark({
        place,
        task: { task_id, map_index: query.map_index ?? null },
        as: "cancelled",
        user,
        dry_run: body.dry_run,
      }),
  );
}

function toChosen(task: string | [string, number]): ChosenTask {
  return typeof task === "string" ? { task_id: task, map_index: null } : { task_id: task[0], map_index: task[1] };
}

function spreadOf(body: { include_upstream: boolean; include_downstream: boolean }) {
  return { upstream: body.include_upstream, downstream: body.include_downstream };
}
