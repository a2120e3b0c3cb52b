// Backfills: made, previewed, listed, paused, cancelled.

import {
  type BackfillAnswer,
  backfillAnswer,
  backfillPath,
  backfillRequest,
  backfillsAnswer,
  backfillsQuery,
  dryRunAnswer,
  MAX_BACKFILL_RUNS,
} from "../contract/rest-backfills.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import type { ReprocessBehavior } from "../core/backfill.ts";
import { failure } from "../core/errors.ts";
import { type DueRun, listRunsBetween } from "../core/timetable.ts";
import {
  type BackfillRow,
  cancelBackfill,
  createBackfill,
  filterBackfillRuns,
  listBackfills,
  readBackfill,
  setBackfillPaused,
} from "../store/backfills.ts";
import type { DagWithDefinition } from "../store/read-dags.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { askTimetable } from "./ask-timetable.ts";
import { isoOf, presentDates } from "./present-date.ts";
import { requireDag } from "./require-rows.ts";
import { createParamsChecker } from "./trigger-params.ts";

const tags = ["Backfill"];

interface Range {
  from_date: string;
  to_date: string;
  reprocess_behavior: ReprocessBehavior;
  run_backwards: boolean;
}

export function addBackfillRoutes(app: ApiServer, { db, clock, computeTimes }: ApiOptions): void {
  const checker = createParamsChecker();

  const listRuns = async (dag: DagWithDefinition, range: Range): Promise<DueRun[]> => {
    const kind = dag.definition.schedule?.kind;
    if (kind === undefined || kind === "once" || kind === "continuous") {
      throw failure("invalid_request", `DAG "${dag.dag_id}" has no schedule with dates; trigger its runs one by one`);
    }
    const waiting = dag.definition.tasks.find((task) => task.depends_on_past || task.wait_for_downstream);
    if (range.run_backwards && waiting) {
      throw failure(
        "invalid_request",
        `task "${waiting.task_id}" waits for the run before, which newest first comes after it; run the oldest first`,
      );
    }
    const now = clock.now();
    const [from, to] = [new Date(range.from_date), new Date(range.to_date)];
    const limit = MAX_BACKFILL_RUNS + 1;
    const computed = await askTimetable(
      computeTimes,
      dag,
      new Date(from.getTime() - 1),
      to < now ? to : now,
      limit + 1,
    );
    const runs = listRunsBetween(dag.definition, { from, to, now, limit }, computed);
    if (runs.length === 0) {
      throw failure(
        "invalid_request",
        `between ${range.from_date} and ${range.to_date} DAG "${dag.dag_id}" has no time of its schedule that has come`,
      );
    }
    if (runs.length < limit) return runs;
    throw failure(
      "invalid_request",
      `the range calls for more than ${MAX_BACKFILL_RUNS} runs of DAG "${dag.dag_id}"; choose a shorter one`,
    );
  };

  const refuseStale = (dag: DagWithDefinition) => {
    if (!dag.is_stale) return;
    throw failure("dag_stale", `the file of DAG "${dag.dag_id}" is gone; put it back to run it`);
  };

  app.post(
    "/backfills",
    {
      schema: {
        tags,
        operationId: "create_backfill",
        summary: "Make the runs of a range of dates",
        querystring: emptyQuery,
        body: backfillRequest,
        response: { 200: backfillAnswer },
      },
    },
    async ({ body, user, log }) => {
      const dag = await requireDag(db, body.dag_id);
      refuseStale(dag);
      const { dag_id, version_id } = dag;
      const { params_schema } = dag.definition;
      const params = checker.check({ dag_id, version_id, params_schema }, body.dag_run_conf);
      const runs = await listRuns(dag, body);
      const backfill = {
        dag_id,
        from_date: new Date(body.from_date),
        to_date: new Date(body.to_date),
        reprocess_behavior: body.reprocess_behavior,
        run_backwards: body.run_backwards,
        max_active_runs: body.max_active_runs,
        conf: body.dag_run_conf,
        params,
        user,
      };
      const id = await createBackfill(db, backfill, runs, clock.now());
      log.info({ dag_id, backfill_id: id, dates: runs.length, user }, "backfill created");
      return presentBackfill(await readBackfill(db, id));
    },
  );

  app.post(
    "/backfills/dry_run",
    {
      schema: {
        tags,
        operationId: "create_backfill_dry_run",
        summary: "List the dates that a backfill would run, and change nothing",
        querystring: emptyQuery,
        body: backfillRequest,
        response: { 200: dryRunAnswer },
      },
    },
    async ({ body }) => {
      const dag = await requireDag(db, body.dag_id);
      refuseStale(dag);
      const { dag_id, version_id } = dag;
      const { params_schema } = dag.definition;
      checker.check({ dag_id, version_id, params_schema }, body.dag_run_conf);
      const runs = await filterBackfillRuns(db, dag_id, await listRuns(dag, body), body.reprocess_behavior);
      const ordered = body.run_backwards ? runs.toReversed() : runs;
      return { backfills: ordered.map(presentDates), total_entries: ordered.length };
    },
  );

  app.get(
    "/backfills",
    {
      schema: {
        tags,
        operationId: "list_backfills",
        summary: "List backfills, the newest first",
        querystring: backfillsQuery,
        response: { 200: backfillsAnswer },
      },
    },
    async ({ query }) => {
      const page = await listBackfills(db, { ...query, dag_id: query.dag_id, active: query.active });
      return { backfills: page.rows.map(presentBackfill), total_entries: page.total };
    },
  );

  app.get(
    "/backfills/:backfill_id",
    {
      schema: {
        tags,
        operationId: "get_backfill",
        summary: "Show a backfill",
        params: backfillPath,
        querystring: emptyQuery,
        response: { 200: backfillAnswer },
      },
    },
    async ({ params }) => presentBackfill(await readBackfill(db, params.backfill_id)),
  );

  const pause = (id: number, paused: boolean) => setBackfillPaused(db, id, paused, clock.now());
  const actions = {
    pause: { summary: "Begin no more runs for now", perform: (id: number) => pause(id, true) },
    unpause: { summary: "Go on with a paused backfill", perform: (id: number) => pause(id, false) },
    cancel: {
      summary: "End a backfill: queued runs fail, running ones go on",
      perform: (id: number) => cancelBackfill(db, id, clock.now()),
    },
  };
  for (const [action, { summary, perform }] of Object.entries(actions)) {
    app.put(
      `/backfills/:backfill_id/${action}`,
      {
        schema: {
          tags,
          operationId: `${action}_backfill`,
          summary,
          params: backfillPath,
          querystring: emptyQuery,
          response: { 200: backfillAnswer },
        },
      },
      async ({ params, user, log }) => {
        await perform(params.backfill_id);
        log.info({ backfill_id: params.backfill_id, action, user }, "backfill changed");
        return presentBackfill(await readBackfill(db, params.backfill_id));
      },
    );
  }
}

function presentBackfill(row: BackfillRow): BackfillAnswer {
  return {
    id: row.id,
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    from_date: row.from_date.toISOString(),
    to_date: row.to_date.toISOString(),
    dag_run_conf: row.dag_run_conf,
    is_paused: row.is_paused,
    reprocess_behavior: row.reprocess_behavior,
    run_backwards: row.run_backwards,
    max_active_runs: row.max_active_runs,
    triggering_user_name: row.triggering_user_name,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    completed_at: isoOf(row.completed_at),
    cancelled_at: isoOf(row.cancelled_at),
    dates: { total: row.dates, pending: row.pending, created: row.created, reset: row.reset, skipped: row.skipped },
  };
}
