// Clearing, marking and cancelling, of task instances and of runs. A preview is the same call with dry_run.

import { dagRunPath, dagRunAnswer } from "../contract/rest-dag-runs.ts";
import { dagPath } from "../contract/rest-dags.ts";
import {
  anyMapQuery,
  cancelRequest,
  type ChangesAnswer,
  changesAnswer,
  clearRequest,
  clearRunRequest,
  markRequest,
  patchRunRequest,
} from "../contract/rest-interventions.ts";
import { emptyQuery, mappedInstancePath, taskInstancePath } from "../contract/rest-task-instances.ts";
import type { InstanceAction, RunAction } from "../core/allowed-actions.ts";
import type { ChosenTask, RunPlan } from "../core/intervention.ts";
import type { MarkRequest } from "../core/plan-mark.ts";
import { changeRunNote, deleteRun } from "../store/change-run.ts";
import { type Intervention, intervene } from "../store/intervene.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { requireDagRun } from "./dag-run-routes.ts";
import { checkInstances, checkRun, type Check } from "./intervention-checks.ts";
import { presentRun } from "./present-run.ts";

const RUN = "/dags/:dag_id/dagRuns/:dag_run_id";
const INSTANCE = `${RUN}/taskInstances/:task_id`;

/** In sentences about what was done. */
export const sayWho = (user: string | null) => (user === null ? "someone who did not sign in" : user);

interface Act {
  dag_id: string;
  dag_run_id: string;
  user: string | null;
  event: string;
  task?: ChosenTask | undefined;
  intervention: Intervention;
  dry_run: boolean;
  past?: boolean;
  future?: boolean;
  check: Check;
}

export function addInterventionRoutes(app: ApiServer, { db, rules, clock }: ApiOptions): void {
  const act = async ({ user, event, task, ...call }: Act): Promise<ChangesAnswer> => {
    const { dag_id, dag_run_id } = call;
    const plans = await intervene(
      db,
      rules,
      {
        past: false,
        future: false,
        ...call,
        event: {
          event,
          dag_id,
          dag_run_id,
          task_id: task?.task_id ?? null,
          map_index: task?.map_index ?? null,
          owner: user,
        },
      },
      clock.now(),
    );
    return presentPlans(plans, call.dry_run);
  };
  const response = { 200: changesAnswer };

  app.post(
    "/dags/:dag_id/clearTaskInstances",
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "post_clear_task_instances",
        summary:
          "Clear task instances, so that they are executed again; with dry_run, which it is unless said otherwise, show what that changes",
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

  const clearRun = (
    place: { dag_id: string; dag_run_id: string },
    body: { dry_run: boolean; only_failed: boolean; run_on_latest_version: boolean },
    user: string | null,
  ) =>
    act({
      ...place,
      user,
      event: "clear_dag_run",
      intervention: {
        kind: "clear",
        request: {
          tasks: null,
          only_failed: body.only_failed,
          only_running: false,
          upstream: false,
          downstream: false,
          reason: `cleared by ${sayWho(user)}`,
        },
        newest: body.run_on_latest_version,
      },
      dry_run: body.dry_run,
      check: checkRun(place.dag_run_id, "clear"),
    });

  app.post(
    `${RUN}/clear`,
    {
      schema: {
        tags: ["DagRun"],
        operationId: "clear_dag_run",
        summary:
          "Clear all task instances of a run; with dry_run, which it is unless said otherwise, show what that changes",
        params: dagRunPath,
        querystring: emptyQuery,
        body: clearRunRequest,
        response,
      },
    },
    async ({ params, body, user }) => clearRun(params, body, user),
  );

  const endRun = (
    place: { dag_id: string; dag_run_id: string },
    state: "success" | "failed",
    action: RunAction,
    how: { user: string | null; dry_run: boolean },
  ) => {
    const what = action === "cancel" ? "cancelled" : `marked ${state}`;
    return act({
      ...place,
      ...how,
      event: action === "cancel" ? "cancel_dag_run" : "patch_dag_run",
      intervention: { kind: "mark_run", state, reason: `${what} by ${sayWho(how.user)}` },
      check: checkRun(place.dag_run_id, action),
    });
  };

  app.patch(
    RUN,
    {
      schema: {
        tags: ["DagRun"],
        operationId: "patch_dag_run",
        summary: "Mark a run success or failed, clear it (queued), or change its note",
        params: dagRunPath,
        querystring: emptyQuery,
        body: patchRunRequest,
        response: { 200: dagRunAnswer },
      },
    },
    async ({ params, body, user }) => {
      const { state, note } = body;
      if (state === "queued")
        await clearRun(params, { dry_run: false, only_failed: false, run_on_latest_version: false }, user);
      else if (state !== undefined) await endRun(params, state, `mark_${state}`, { user, dry_run: false });
      if (note !== undefined) await changeRunNote(db, { ...params, owner: user }, note, clock.now());
      return presentRun(await requireDagRun(db, params.dag_id, params.dag_run_id));
    },
  );

  app.post(
    `${RUN}/cancel`,
    {
      schema: {
        tags: ["DagRun"],
        operationId: "cancel_dag_run",
        summary: "Cancel a run: its attempts end, it fails, and what has not begun is skipped",
        params: dagRunPath,
        querystring: emptyQuery,
        body: cancelRequest,
        response,
      },
    },
    async ({ params, body, user }) => endRun(params, "failed", "cancel", { user, dry_run: body.dry_run }),
  );

  app.delete(
    RUN,
    {
      schema: {
        tags: ["DagRun"],
        operationId: "delete_dag_run",
        summary: "Delete a run that has ended",
        params: dagRunPath,
        querystring: emptyQuery,
      },
    },
    async ({ params, user }, reply) => {
      await deleteRun(db, { ...params, owner: user }, clock.now());
      return reply.code(204).send();
    },
  );

  interface Marking {
    place: { dag_id: string; dag_run_id: string };
    task: ChosenTask;
    as: MarkRequest["as"];
    action: InstanceAction;
    user: string | null;
    dry_run: boolean;
    include?: Parameters<typeof spreadOf>[0] & { include_past: boolean; include_future: boolean };
  }
  const mark = ({ place, task, as, action, user, dry_run, include }: Marking) => {
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
          action: `mark_${body.new_state}`,
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
          action: `mark_${body.new_state}`,
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
        action: "cancel",
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

function presentPlans(plans: readonly RunPlan[], dryRun: boolean): ChangesAnswer {
  const task_instances = plans.flatMap(({ run, changes }) =>
    changes.map(({ id, task_id, map_index, try_number, max_tries, from, to, stop }) => ({
      id,
      dag_id: run.dag_id,
      dag_run_id: run.dag_run_id,
      task_id,
      map_index,
      try_number,
      max_tries,
      state: from,
      new_state: to,
      ends_attempt: stop !== null,
    })),
  );
  const dag_runs = plans.flatMap(({ run, run_to, move }) =>
    run_to === null && move === null
      ? []
      : [
          {
            dag_run_id: run.dag_run_id,
            state: run.state,
            new_state: run_to ?? run.state,
            moves_version: move !== null,
            added_tasks: move?.added ?? [],
          },
        ],
  );
  return { task_instances, total_entries: task_instances.length, dag_runs, dry_run: dryRun };
}
