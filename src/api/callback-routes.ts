// What became of a run's callbacks.

import { dagRunPath } from "../contract/rest-dag-runs.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { callbacksAnswer } from "../contract/rest-waits.ts";
import { listRunCallbacks } from "../store/callbacks.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { isoOf } from "./present-date.ts";
import { requireRunExists } from "./require-rows.ts";

export function addCallbackRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    "/dags/:dag_id/dagRuns/:dag_run_id/callbacks",
    {
      schema: {
        tags: ["DagRun"],
        operationId: "get_callbacks",
        summary: "List the callbacks of a run and its tasks, with how their calls ended",
        params: dagRunPath,
        querystring: emptyQuery,
        response: { 200: callbacksAnswer },
      },
    },
    async ({ params }) => {
      const rows = await listRunCallbacks(db, params.dag_id, params.dag_run_id);
      if (rows.length === 0) await requireRunExists(db, params.dag_id, params.dag_run_id);
      const callbacks = rows.map((row) => ({
        ...row,
        due_at: isoOf(row.due_at),
        created_at: row.created_at.toISOString(),
        finished_at: isoOf(row.finished_at),
      }));
      return { callbacks, total_entries: callbacks.length };
    },
  );
}
