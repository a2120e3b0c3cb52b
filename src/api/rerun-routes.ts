// A new run from the middle of an old one.

import { dagRunPath } from "../contract/rest-dag-runs.ts";
import { rerunAnswer, rerunRequest } from "../contract/rest-interventions.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { isTakenMap } from "../core/plan-rerun.ts";
import { rerun } from "../store/rerun.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { sayWho } from "./perform-intervention.ts";
import { presentRun } from "./present-run.ts";
import { requireDag, requireDagRun } from "./require-rows.ts";
import { createParamsChecker } from "./trigger-params.ts";

export function addRerunRoutes(app: ApiServer, { db, rules, clock }: ApiOptions): void {
  const checker = createParamsChecker();
  app.post(
    "/dags/:dag_id/dagRuns/:dag_run_id/rerun",
    {
      schema: {
        tags: ["DagRun"],
        operationId: "rerun_dag_run",
        summary: "Make a new run that executes the chosen tasks and all below them, with what lies above taken over",
        params: dagRunPath,
        querystring: emptyQuery,
        body: rerunRequest,
        response: { 200: rerunAnswer },
      },
    },
    async ({ params: { dag_id, dag_run_id }, body, user, log }) => {
      const source = await requireDagRun(db, dag_id, dag_run_id);
      const dag = await requireDag(db, dag_id);
      const version = body.run_on_latest_version ? dag : source;
      const { definition } = await rules.versions.loadVersion(db, version.version_id);
      const conf = body.conf ?? source.conf;
      const checked = checker.check(
        { dag_id, version_id: version.version_id, params_schema: definition.params_schema },
        conf,
      );
      const now = clock.now();
      const newId = body.new_dag_run_id ?? `rerun__${now.toISOString()}`;
      const plan = await rerun(
        db,
        rules,
        {
          dag_id,
          dag_run_id,
          task_ids: body.task_ids,
          version_id: version.version_id,
          new_dag_run_id: newId,
          conf,
          params: checked,
          results: body.results,
          note: body.note,
          user,
          reason: `taken over from run ${dag_run_id} by ${sayWho(user)}`,
          dry_run: body.dry_run,
        },
        now,
      );
      if (!body.dry_run) log.info({ dag_id, dag_run_id, new_dag_run_id: newId, user }, "run made from another");
      return {
        dag_run: body.dry_run ? null : presentRun(await requireDagRun(db, dag_id, newId)),
        version_number: version.version_number,
        taken_over: plan.taken.map((task) => ({
          task_id: task.task_id,
          state: task.state,
          instances: isTakenMap(task) ? task.instances.length : null,
        })),
        executed: plan.executed,
      };
    },
  );
}
