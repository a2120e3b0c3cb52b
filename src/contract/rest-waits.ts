// What ends waits from outside: events, and people's answers, whose routes are Airflow's hitlDetails ("human in the loop").

import { z } from "zod";
import { CALLBACK_EVENTS, CALLBACK_STATES } from "../core/callback.ts";
import { freeJson, freeObject, instant, pageQuery } from "./rest.ts";

export const eventRequest = z
  .strictObject({
    /** Becomes the task's result, checked against its schema. */
    payload: freeObject.default({}),
  })
  .meta({ id: "EventRequest" });

/** An event that came before its task waited for it. */
export const earlyEventAnswer = z.object({ payload: freeJson, delivered_at: instant }).meta({ id: "EarlyEvent" });

export const hitlPatch = z
  .strictObject({
    chosen_options: z.array(z.string()).length(1),
    note: z.string().max(1_000).nullable().default(null),
  })
  .meta({ id: "HITLDetailPatch" });

export const hitlDetailAnswer = z
  .object({
    dag_id: z.string(),
    dag_run_id: z.string(),
    task_id: z.string(),
    map_index: z.int(),
    subject: z.string(),
    options: z.array(z.string()),
    /** Taken at the timeout when nobody answers. */
    defaults: z.array(z.string()),
    response_received: z.boolean(),
    chosen_options: z.array(z.string()),
    /** null: nobody has answered, or the installation knows no users. */
    responded_by_user: z.object({ id: z.string(), name: z.string() }).nullable(),
    responded_at: instant.nullable(),
    note: z.string().nullable(),
  })
  .meta({ id: "HITLDetail" });
export type HitlDetailAnswer = z.infer<typeof hitlDetailAnswer>;

export const hitlDetailsQuery = z.strictObject(pageQuery);
export const hitlDetailsAnswer = z
  .object({ hitl_details: z.array(hitlDetailAnswer), total_entries: z.int() })
  .meta({ id: "HITLDetailCollection" });

/** A function of the author's that is told what has happened. */
const callbackAnswer = z
  .object({
    id: z.int(),
    event: z.enum(CALLBACK_EVENTS),
    /** pending: it is called, or called again, at due_at; failed: no call is left; cancelled: a deadline that was kept. */
    state: z.enum(CALLBACK_STATES),
    /** null: it is about the run. */
    task_id: z.string().nullable(),
    map_index: z.int().nullable(),
    try_number: z.int().nullable(),
    /** What it is told. */
    reason: z.string().nullable(),
    tries: z.int(),
    due_at: instant.nullable(),
    /** Of the last call that failed. */
    error: z.string().nullable(),
    created_at: instant,
    finished_at: instant.nullable(),
  })
  .meta({ id: "Callback" });
export const callbacksAnswer = z
  .object({ callbacks: z.array(callbackAnswer), total_entries: z.int() })
  .meta({ id: "CallbackCollection" });
