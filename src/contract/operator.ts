// A task's operator as it enters: see core/operator.ts.

import { z } from "zod";
import { CALLBACK_EVENTS } from "../core/callback.ts";
import type { Operator } from "../core/operator.ts";

/** A year, in seconds. */
const LONGEST_WAIT = 31_536_000;
/** Once a second is as often as the scheduler looks. */
const SHORTEST_INTERVAL = 1;

const id = z.string().min(1).max(250);
const seconds = z.number().positive().max(LONGEST_WAIT);
const interval = z.number().min(SHORTEST_INTERVAL).max(86_400);
const limits = { timeout: seconds.nullable(), soft_fail: z.boolean() };

export const callbackEvents = z.array(z.enum(CALLBACK_EVENTS)).exactOptional();
export const deadlineDefinition = z
  .strictObject({ after: seconds, from: z.enum(["queued", "started", "logical_date"]) })
  .exactOptional();

export const operatorDefinition: z.ZodType<Operator> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("branch"), choices: z.record(z.string(), z.array(id)) }),
  z.strictObject({ type: z.literal("short_circuit"), skips: z.enum(["all", "direct"]) }),
  z.strictObject({
    type: z.literal("bash"),
    command: z.string().min(1),
    env: z.record(z.string(), z.string()),
    skip_on_exit_codes: z.array(z.int().min(1).max(255)),
  }),
  z.strictObject({ type: z.literal("sensor"), ...limits, every: interval, backoff: z.boolean() }),
  z.strictObject({ type: z.literal("wait_until"), ...limits }),
  z.strictObject({ type: z.literal("wait_for"), ...limits, seconds: z.number().min(0).max(LONGEST_WAIT) }),
  z.strictObject({ type: z.literal("event"), ...limits, schema: z.record(z.string(), z.json()).nullable() }),
  z.strictObject({
    type: z.literal("approval"),
    ...limits,
    subject: z.string().max(1_000),
    options: z.array(z.string().min(1).max(100)).min(1).max(20),
    rejects: z.array(z.string()),
    default: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal("trigger_dag"), ...limits, dag_id: id, wait: z.boolean() }),
  z.strictObject({
    type: z.literal("external_task"),
    ...limits,
    dag_id: id,
    task_id: id.nullable(),
    every: interval,
    succeeds: z.array(z.string()).min(1),
    fails: z.array(z.string()),
  }),
]);
