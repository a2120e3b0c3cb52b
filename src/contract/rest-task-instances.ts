// Task instances, their tries and their results in the REST API. A try is what the task's own retries count; under it lie
// its attempts: one, and one more for every fault of the cluster.

import { z } from "zod";
import { INSTANCE_ACTIONS } from "../core/allowed-actions.ts";
import { FINAL_OUTCOMES, INFRASTRUCTURE_OUTCOMES, type OutcomeKind, TASK_OUTCOMES } from "../core/outcome.ts";
import { WAITING_KINDS } from "../core/observation.ts";
import { ATTEMPT_STATES, TASK_STATES } from "../core/states.ts";
import { freeJson, instant, mapIndexQuery, orderByQuery, pageQuery, queryInteger, rangeQuery } from "./rest.ts";
import { dagVersionAnswer } from "./rest-dag-runs.ts";

const INSTANCE_ORDER_FIELDS = [
  "task_id",
  "map_index",
  "state",
  "try_number",
  "run_after",
  "logical_date",
  "queued_when",
  "scheduled_when",
  "start_date",
  "end_date",
  "duration",
] as const;
export const INSTANCE_RANGE_FIELDS = ["run_after", "logical_date", "start_date", "end_date"] as const;

/** "no_status": instances whose dependencies have not been met yet. */
const INSTANCE_STATE_FILTER = [...TASK_STATES, "no_status"] as const;

export const taskInstancesQuery = z.strictObject({
  ...pageQuery,
  ...rangeQuery(INSTANCE_RANGE_FIELDS),
  state: z.array(z.enum(INSTANCE_STATE_FILTER)).optional(),
  task_id: z.array(z.string()).max(1_000).optional(),
  order_by: orderByQuery(INSTANCE_ORDER_FIELDS),
});

const mapIndexPath = queryInteger(-1, 2 ** 31 - 1);
const tryNumberPath = queryInteger(1, 2 ** 31 - 1);
const instancePath = { dag_id: z.string(), dag_run_id: z.string(), task_id: z.string() };
export const taskInstancePath = z.strictObject(instancePath);
export const mappedInstancePath = z.strictObject({ ...instancePath, map_index: mapIndexPath });
export const tryPath = z.strictObject({ ...instancePath, try_number: tryNumberPath });
export const mappedTryPath = z.strictObject({ ...instancePath, map_index: mapIndexPath, try_number: tryNumberPath });
export const resultPath = z.strictObject({ ...instancePath, xcom_key: z.string() });
export const mapQuery = z.strictObject({ map_index: mapIndexQuery });
export const emptyQuery = z.strictObject({});

const OUTCOME_KINDS = [
  "success",
  "skipped",
  ...TASK_OUTCOMES,
  ...INFRASTRUCTURE_OUTCOMES,
  ...FINAL_OUTCOMES,
] as const satisfies readonly OutcomeKind[];

const outcomeAnswer = z
  .object({
    kind: z.enum(OUTCOME_KINDS),
    reason: z.string().nullable(),
    exit_code: z.int().nullable(),
    /** What the task threw, its stack in the author's file. */
    error: z.object({ name: z.string(), message: z.string(), stack: z.string().nullable() }).nullable(),
  })
  .meta({ id: "Outcome" });
export type OutcomeAnswer = z.infer<typeof outcomeAnswer>;

const instanceFields = {
  id: z.uuid(),
  dag_id: z.string(),
  dag_display_name: z.string(),
  dag_run_id: z.string(),
  task_id: z.string(),
  task_display_name: z.string(),
  map_index: z.int(),
  /** What an instance of a map is called, out of what it runs over; null: it has only its index. */
  rendered_map_index: z.string().nullable(),
  /** null: its dependencies have not been met yet. */
  state: z.enum(TASK_STATES).nullable(),
  try_number: z.int(),
  max_tries: z.int(),
  logical_date: instant.nullable(),
  run_after: instant,
  scheduled_when: instant.nullable(),
  queued_when: instant.nullable(),
  start_date: instant.nullable(),
  end_date: instant.nullable(),
  duration: z.number().nullable(),
  hostname: z.string().nullable(),
  executor: z.string().nullable(),
  dag_version: dagVersionAnswer,
  /** Why it waits or how it ended, in one sentence. */
  reason: z.string().nullable(),
  /** How its newest attempt ended; null until it has. */
  outcome: outcomeAnswer.nullable(),
};

export const taskInstanceAnswer = z
  .object({
    ...instanceFields,
    retry_at: instant.nullable(),
    /** Faults of the cluster so far; they spend no retries. */
    infrastructure_failures: z.int(),
    /** As its task says, from the moment it is ready; the weight is the effective one. */
    pool: z.string(),
    pool_slots: z.int(),
    priority_weight: z.int().nullable(),
    /** What may be done to it in its state. */
    allowed_actions: z.array(z.enum(INSTANCE_ACTIONS)),
  })
  .meta({ id: "TaskInstance" });
export type TaskInstanceAnswer = z.infer<typeof taskInstanceAnswer>;
export const taskInstancesAnswer = z
  .object({ task_instances: z.array(taskInstanceAnswer), total_entries: z.int() })
  .meta({ id: "TaskInstanceCollection" });

const attemptAnswer = z
  .object({
    attempt_id: z.uuid(),
    epoch: z.int(),
    state: z.enum(ATTEMPT_STATES),
    executor: z.string(),
    /** Its way, in the order of happening; null: not reached, or not observed. */
    queued_at: instant,
    launched_at: instant.nullable(),
    pod_scheduled_at: instant.nullable(),
    image_pulled_at: instant.nullable(),
    container_started_at: instant.nullable(),
    started_at: instant.nullable(),
    heartbeat_at: instant.nullable(),
    finished_at: instant.nullable(),
    pod_gone_at: instant.nullable(),
    /** Where its pod is, as its task names it; null: in the installation's own. */
    cluster: z.string().nullable(),
    namespace: z.string().nullable(),
    pod_name: z.string().nullable(),
    pod_uid: z.string().nullable(),
    hostname: z.string().nullable(),
    launch_failures: z.int(),
    /** Bytes that its pod's main container is limited to, with what its task has learned to need; null: none, or not seen yet. */
    memory_limit: z.int().nullable(),
    /** Bytes that its worker's container used at most, as of its last heartbeat or its end; null: not known. */
    memory_peak: z.int().nullable(),
    /** Why its pod does not run yet. */
    waiting: z.object({ kind: z.enum(WAITING_KINDS), reason: z.string(), since: instant.nullable() }).nullable(),
    stop_reason: z.string().nullable(),
    outcome: outcomeAnswer.nullable(),
  })
  .meta({ id: "Attempt" });
export type AttemptAnswer = z.infer<typeof attemptAnswer>;

export const tryAnswer = z
  .object({
    ...instanceFields,
    /** Oldest first: the last one decides, those before it fell to the cluster. */
    attempts: z.array(attemptAnswer),
  })
  .meta({ id: "TaskInstanceTry" });
export type TryAnswer = z.infer<typeof tryAnswer>;
export const triesAnswer = z
  .object({ task_instances: z.array(tryAnswer), total_entries: z.int() })
  .meta({ id: "TaskInstanceTryCollection" });

/** The one key under which a task's result is found. */
export const RESULT_KEY = "return_value";
const resultFields = {
  key: z.literal(RESULT_KEY),
  timestamp: instant,
  logical_date: instant.nullable(),
  map_index: z.int(),
  task_id: z.string(),
  dag_id: z.string(),
  run_id: z.string(),
};
const resultEntryAnswer = z.object(resultFields).meta({ id: "XComEntry" });
export type ResultEntryAnswer = z.infer<typeof resultEntryAnswer>;
export const resultsAnswer = z
  .object({ xcom_entries: z.array(resultEntryAnswer), total_entries: z.int() })
  .meta({ id: "XComCollection" });
export const resultAnswer = z.object({ ...resultFields, value: freeJson }).meta({ id: "XCom" });
export const resultsQuery = z.strictObject({ ...pageQuery, map_index: mapIndexPath.optional() });
