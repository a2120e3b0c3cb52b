// What ends waits from outside: events that are delivered, and people's answers.

import { dagRunPath } from "../contract/rest-dag-runs.ts";
import { ANY } from "../contract/rest.ts";
import {
  emptyQuery,
  mappedInstancePath,
  mapQuery,
  taskInstanceAnswer,
  taskInstancePath,
} from "../contract/rest-task-instances.ts";
import {
  earlyEventAnswer,
  eventRequest,
  type HitlDetailAnswer,
  hitlDetailAnswer,
  hitlDetailsAnswer,
  hitlDetailsQuery,
  hitlPatch,
} from "../contract/rest-waits.ts";
import { failure } from "../core/errors.ts";
import { judgeAnswer } from "../core/judge-wait.ts";
import { readEarlyEvent } from "../store/early-events.ts";
import { answerWait, type ApprovalRow, listApprovals, readApproval } from "../store/wait-answers.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { isoOf } from "./present-date.ts";
import { presentInstance } from "./present-run.ts";
import { requireInstance } from "./require-rows.ts";
import { checkPayload } from "./trigger-params.ts";

const RUN = "/dags/:dag_id/dagRuns/:dag_run_id";
const INSTANCE = `${RUN}/taskInstances/:task_id`;

export function addWaitRoutes(app: ApiServer, { db, rules: { versions }, clock }: ApiOptions): void {
  app.post(
    `${INSTANCE}/event`,
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "post_task_instance_event",
        summary: "Deliver the event that a task instance waits for, or is going to wait for (202: kept until it does)",
        params: taskInstancePath,
        querystring: mapQuery,
        body: eventRequest,
        response: { 200: taskInstanceAnswer, 202: taskInstanceAnswer },
      },
    },
    async ({ params, query, body: { payload }, log, user }, reply) => {
      const key = { ...params, ...query };
      const came = await answerWait(
        db,
        versions,
        key,
        "event",
        ({ schema }) => ({
          kind: "end",
          outcome: { kind: "success", reason: "its event was delivered", exit_code: null, error: null },
          result: schema === null ? payload : checkPayload(params.task_id, schema, payload),
        }),
        clock.now(),
      );
      log.info({ ...key, user }, came === "kept" ? "event kept until it is waited for" : "event delivered");
      return reply.code(came === "kept" ? 202 : 200).send(presentInstance(await requireInstance(db, key)));
    },
  );
  app.get(
    `${INSTANCE}/event`,
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "get_task_instance_event",
        summary: "Show the event that is kept for a task instance until it waits for it",
        params: taskInstancePath,
        querystring: mapQuery,
        response: { 200: earlyEventAnswer },
      },
    },
    async ({ params, query }) => {
      const { id, task_id } = await requireInstance(db, { ...params, ...query });
      const event = await readEarlyEvent(db, id);
      if (event === null) throw failure("not_found", `no event is kept for task "${task_id}"`);
      return { payload: event.payload, delivered_at: event.delivered_at.toISOString() };
    },
  );

  const details = `${INSTANCE}/:map_index/hitlDetails`;
  app.get(
    details,
    {
      schema: {
        tags: ["HITLDetail"],
        operationId: "get_hitl_detail",
        summary: "Show what a person is asked, and the answer",
        params: mappedInstancePath,
        querystring: emptyQuery,
        response: { 200: hitlDetailAnswer },
      },
    },
    async ({ params }) => presentApproval(await readApproval(db, versions, params)),
  );
  app.patch(
    details,
    {
      schema: {
        tags: ["HITLDetail"],
        operationId: "update_hitl_detail",
        summary: "Answer a task instance that waits for a person",
        params: mappedInstancePath,
        querystring: emptyQuery,
        body: hitlPatch,
        response: { 200: hitlDetailAnswer },
      },
    },
    async ({ params, body, user, log }) => {
      const [option = ""] = body.chosen_options;
      await answerWait(
        db,
        versions,
        params,
        "approval",
        (operator) => {
          if (operator.options.includes(option)) return judgeAnswer(operator, { option, user, note: body.note });
          const known = operator.options.map((each) => `"${each}"`).join(", ");
          throw failure("invalid_request", `chosen_options: "${option}" is not an option; choose one of ${known}`);
        },
        clock.now(),
      );
      log.info({ ...params, option, user }, "answered by a person");
      return presentApproval(await readApproval(db, versions, params));
    },
  );
  app.get(
    `${RUN}/hitlDetails`,
    {
      schema: {
        tags: ["HITLDetail"],
        operationId: "get_hitl_details",
        summary: "List what waits for a person now; ~ stands for any DAG or run",
        params: dagRunPath,
        querystring: hitlDetailsQuery,
        response: { 200: hitlDetailsAnswer },
      },
    },
    async ({ params, query }) => {
      const page = await listApprovals(db, versions, {
        ...query,
        dag_id: params.dag_id === ANY ? undefined : params.dag_id,
        dag_run_id: params.dag_run_id === ANY ? undefined : params.dag_run_id,
      });
      return { hitl_details: page.rows.map(presentApproval), total_entries: page.total };
    },
  );
}

function presentApproval({ operator, answer, answered_at, ...key }: ApprovalRow): HitlDetailAnswer {
  const user = answer?.user ?? null;
  return {
    ...key,
    subject: operator.subject,
    options: operator.options,
    defaults: operator.default === null ? [] : [operator.default],
    response_received: answer !== null,
    chosen_options: answer === null ? [] : [answer.option],
    responded_by_user: user === null ? null : { id: user, name: user },
    responded_at: isoOf(answered_at),
    note: answer?.note ?? null,
  };
}
