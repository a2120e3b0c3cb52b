// Why a task instance waits, or how it ended.

import { type ExplanationAnswer, explanationAnswer } from "../contract/rest-explain.ts";
import { mapQuery, taskInstancePath } from "../contract/rest-task-instances.ts";
import { traceAttempt } from "../core/attempt-timeline.ts";
import { explainInstance } from "../core/explain.ts";
import type { Situation } from "../core/situation.ts";
import { readExecutors } from "../store/processes.ts";
import { readHeartbeats } from "../store/read-health.ts";
import { readSituation, type SituationRows } from "../store/read-situation.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { HEALTHY_MS, isAlive } from "./judge-health.ts";
import { isoOf } from "./present-date.ts";
import { missingInstance } from "./require-rows.ts";

export function addExplainRoutes(app: ApiServer, options: ApiOptions): void {
  const { db, rules, clock } = options;
  app.get(
    "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/explain",
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "explain_task_instance",
        summary: "Say in one sentence why a task instance waits or how it ended",
        params: taskInstancePath,
        querystring: mapQuery,
        response: { 200: explanationAnswer },
      },
    },
    async ({ params, query }) => {
      const key = { ...params, ...query };
      const now = clock.now();
      const [rows, heartbeats, executors] = await Promise.all([
        readSituation(db, rules.versions, key),
        readHeartbeats(db),
        readExecutors(db, new Date(now.getTime() - HEALTHY_MS)),
      ]);
      if (rows === null) throw missingInstance(key);
      const seen = heartbeats.get("scheduler") ?? null;
      return presentExplanation(
        rows,
        {
          ...rows,
          scheduler: { alive: isAlive(seen, now), seen_at: seen, executors },
          limits: {
            infrastructure_budget: rules.infrastructureBudget,
            heartbeat_interval: options.heartbeatInterval,
            fence: rules.fence,
          },
        },
        now,
      );
    },
  );
}

function presentExplanation(rows: SituationRows, situation: Situation, now: Date): ExplanationAnswer {
  const { instance, run, dag, attempt } = situation;
  return {
    task_instance_id: rows.id,
    dag_id: dag.dag_id,
    dag_run_id: run.dag_run_id,
    task_id: instance.task_id,
    map_index: instance.map_index,
    state: instance.state,
    ...explainInstance(situation, now),
    attempt: rows.epoch,
    try_number: instance.try_number,
    max_tries: instance.max_tries,
    infrastructure_failures: instance.infrastructure_failures,
    infrastructure_budget: situation.limits.infrastructure_budget,
    retry_at: isoOf(instance.retry_at),
    timeline: attempt === null ? [] : traceAttempt(attempt).map(({ event, at }) => ({ event, at: at.toISOString() })),
    memory_limit: attempt?.memory_limit ?? null,
    memory_peak: attempt?.memory_peak ?? null,
    last_lines: rows.log.map(({ timestamp, level, event }) => ({ timestamp: timestamp.toISOString(), level, event })),
  };
}
