// The runs that a DAG's schedule and assets call for next.

import { nextRunsAnswer, nextRunsQuery } from "../contract/rest-backfills.ts";
import { dagPath } from "../contract/rest-dags.ts";
import { describeWaiting } from "../core/asset-condition.ts";
import { boundOfTicks, listNextRuns } from "../core/timetable.ts";
import { readQueuedEvents } from "../store/read-assets.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { askTimetable } from "./ask-timetable.ts";
import { presentDates } from "./present-date.ts";
import { requireDag } from "./require-rows.ts";

const LAST_DATE = new Date(8.64e15);

export function addNextRunRoutes(app: ApiServer, { db, clock, computeTimes }: ApiOptions): void {
  app.get(
    "/dags/:dag_id/nextRuns",
    {
      schema: {
        tags: ["DAG"],
        operationId: "get_next_runs",
        summary: "List the runs that a DAG's schedule calls for after an instant",
        params: dagPath,
        querystring: nextRunsQuery,
        response: { 200: nextRunsAnswer },
      },
    },
    async ({ params, query }) => {
      const dag = await requireDag(db, params.dag_id);
      const from = query.from === undefined ? clock.now() : new Date(query.from);
      // One more: with intervals, a run needs the tick after its own.
      const computed = await askTimetable(
        computeTimes,
        dag,
        boundOfTicks(dag.definition, from),
        LAST_DATE,
        query.count + 1,
      );
      const runs = listNextRuns(dag.definition, from, query.count, computed);
      const next = runs.map((run) => ({ ...presentDates(run), run_after: run.run_after.toISOString() }));
      const waiting = dag.assets && (await readQueuedEvents(db, dag.dag_id));
      const seen = waiting?.queued.map(({ name }) => name) ?? [];
      const waits_for = dag.assets && describeWaiting(dag.assets, seen);
      return { next_runs: next, total_entries: next.length, waits_for };
    },
  );
}
