// Clearing, marking, cancelling and deleting runs. A preview is the same call with dry_run.

import { dagRunPath, dagRunAnswer } from "../contract/rest-dag-runs.ts";
import { cancelRequest, changesAnswer, clearRunRequest, patchRunRequest } from "../contract/rest-interventions.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import type { RunAction } from "../core/allowed-actions.ts";
import { changeRunNote, deleteRun } from "../store/change-run.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { checkRun } from "./intervention-checks.ts";
import { type Act, performIntervention, sayWho } from "./perform-intervention.ts";
import { presentRun } from "./present-run.ts";
import { requireDagRun } from "./require-rows.ts";

const RUN = "/dags/:dag_id/dagRuns/:dag_run_id";

export function addRunInterventionRoutes(app: ApiServer, options: ApiOptions): void {
  const { db, clock } = options;
  const act = (call: Act) => performIntervention(options, call);
  const response = { 200: changesAnswer };

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
        summary: "Clear all task instances of a run; with dry_run (the default), only show what would change",
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
        summary:
          "Cancel a run: its attempts end, what has not begun is skipped, and it fails, after the teardowns of what was set up",
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
}
