// The border through which a DAG enters: what the sealed evaluator hands over is parsed here before it is believed.

import { z } from "zod";
import { CALLBACK_EVENTS } from "../core/callback.ts";
import {
  type AssetCondition,
  type DagDefinition,
  type Expression,
  LARGEST_MAX_MAP_LENGTH,
  RUN_FIELDS,
  type Schedule,
  TRIGGER_RULES,
  WEIGHT_RULES,
} from "../core/definition.ts";
import { parseQuantity } from "../core/quantity.ts";
import { isResultFile } from "../core/container.ts";
import { CLUSTER_RULE, isClusterName } from "../core/executor-name.ts";
import { isStorable } from "../core/clean-text.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { callbackEvents, deadlineDefinition, operatorDefinition } from "./operator.ts";

export const json: z.ZodType<Json> = z.json();
export const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());

const IDENTIFIER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const identifier = (what: string) =>
  z
    .string()
    .max(250, `${what} is longer than 250 characters`)
    .regex(IDENTIFIER, `${what} may hold letters, digits, "_", "." and "-", and starts with a letter, digit or "_"`);

export const dagId = identifier("a DAG id");
export const taskId = identifier("a task id");

export const variableKey = identifier("a variable's key");
export const connectionId = identifier("a connection id");

const expression: z.ZodType<Expression> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("value"), value: json }),
    z.strictObject({ kind: z.literal("param"), path: z.array(z.string()) }),
    z.strictObject({
      kind: z.literal("result"),
      task_id: taskId,
      each: z.array(z.string()).exactOptional(),
      path: z.array(z.string()),
    }),
    z.strictObject({ kind: z.literal("item"), name: z.string(), path: z.array(z.string()) }),
    z.strictObject({ kind: z.literal("run"), field: z.enum(RUN_FIELDS) }),
    z.strictObject({ kind: z.literal("object"), fields: z.record(z.string(), expression) }),
    z.strictObject({ kind: z.literal("array"), items: z.array(expression) }),
  ]),
);

const instant = z.iso.datetime({ offset: true });

/** A year, in seconds. */
const LONGEST_TIMEOUT = 31_536_000;
/** A hundred years. */
const LONGEST_INTERVAL = 3_155_760_000;

const containerDefinition = z.strictObject({
  image: z.string().min(1),
  cmds: z.array(z.string()).nullable(),
  arguments: z.array(z.string()).nullable(),
  env: z.record(z.string(), z.string()),
  get_logs: z.boolean(),
  skip_on_exit_codes: z.array(z.int().min(1).max(255)),
  result_file: z
    .string()
    .refine(isResultFile, "must be an absolute path of a file in a folder, such as /windlass/result.json")
    .exactOptional(),
  cluster: z.string().refine(isClusterName, CLUSTER_RULE).exactOptional(),
});

const limit = z.int32().min(1);
const errorNames = z.array(z.string().min(1).max(1_024)).max(100);
const mapDefinition = z.strictObject({
  over: z.array(z.strictObject({ name: z.string(), array: expression })).min(1),
  mode: z.literal("zip").exactOptional(),
  max_length: z.int().min(1).max(LARGEST_MAX_MAP_LENGTH).exactOptional(),
  label: expression.exactOptional(),
});

const groupDefinition = z.strictObject({ group_id: taskId, parent: taskId.exactOptional() });

/** The longest name or URI of an asset. */
const LONGEST_ASSET = 1_500;
const assetText = z.string().min(1).max(LONGEST_ASSET);
const assetDefinition = z.strictObject({
  name: assetText,
  uri: assetText,
  group: z.string().min(1).max(250).exactOptional(),
  extra: jsonObject.exactOptional(),
});
const assetCondition: z.ZodType<AssetCondition> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("asset"), asset: assetDefinition }),
    z.strictObject({ kind: z.literal("any"), of: z.array(assetCondition).min(1).max(1_000) }),
    z.strictObject({ kind: z.literal("all"), of: z.array(assetCondition).min(1).max(1_000) }),
  ]),
);

const callbackSecrets = z
  .partialRecord(
    z.enum(CALLBACK_EVENTS),
    z.strictObject({
      variables: z.array(variableKey).exactOptional(),
      connections: z.array(connectionId).exactOptional(),
    }),
  )
  .exactOptional();

const taskDefinition = z.strictObject({
  task_id: taskId,
  kind: z.enum(["function", "empty", "pod", "wait", "expand"]),
  upstream: z.array(taskId),
  trigger_rule: z.enum(TRIGGER_RULES),
  inputs: z.record(z.string(), expression),
  retries: z.int().min(0).max(1000),
  retry_delay: z.number().min(0).max(86_400),
  execution_timeout: z.number().positive().max(LONGEST_TIMEOUT).nullable(),
  pod: jsonObject.nullable(),
  container: containerDefinition.nullable(),
  outlets: z.array(assetDefinition).max(1_000).exactOptional(),
  variables: z.array(variableKey).exactOptional(),
  connections: z.array(connectionId).exactOptional(),
  operator: operatorDefinition.exactOptional(),
  callbacks: callbackEvents,
  callback_secrets: callbackSecrets,
  description: z.string().nullable(),
  pool: z.string().min(1).max(250).exactOptional(),
  pool_slots: limit.exactOptional(),
  priority_weight: z.int32().exactOptional(),
  weight_rule: z.enum(WEIGHT_RULES).exactOptional(),
  max_active: limit.exactOptional(),
  max_active_per_run: limit.exactOptional(),
  concurrency: z.strictObject({ path: z.array(z.string()).min(1), limit }).exactOptional(),
  retry_backoff: z
    .strictObject({ factor: z.number().min(1).max(100), max: z.number().min(0).max(86_400).exactOptional() })
    .exactOptional(),
  retry_on: errorNames.exactOptional(),
  no_retry_on: errorNames.exactOptional(),
  depends_on_past: z.boolean().exactOptional(),
  wait_for_downstream: z.boolean().exactOptional(),
  map: mapDefinition.exactOptional(),
  group: taskId.exactOptional(),
  role: z.enum(["setup", "teardown"]).exactOptional(),
  fails_run: z.boolean().exactOptional(),
  pods: z
    .strictObject({ keep: z.enum(["failed", "always"]), for: z.number().positive().max(LONGEST_TIMEOUT).nullable() })
    .exactOptional(),
  memory_growth: z
    .strictObject({
      factor: z.number().min(1.1).max(10),
      max: z.string().refine((text) => parseQuantity(text) !== null, "is not an amount of memory such as 4Gi"),
    })
    .exactOptional(),
  schedule_timeout: z.number().positive().max(LONGEST_TIMEOUT).exactOptional(),
  start_timeout: z.number().positive().max(LONGEST_TIMEOUT).exactOptional(),
});

const expressionText = z.string().min(1).max(200);
/** 300 years of days. */
const MAX_TIMES = 100_000;

export const schedule: z.ZodType<Schedule> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("cron"), expression: z.string(), timezone: z.string() }),
  z.strictObject({
    kind: z.literal("crons"),
    expressions: z.array(expressionText).min(1).max(100),
    timezone: z.string(),
  }),
  z.strictObject({ kind: z.literal("interval"), seconds: z.number().min(1).max(LONGEST_INTERVAL), anchor: instant }),
  z.strictObject({ kind: z.literal("once") }),
  z.strictObject({ kind: z.literal("continuous") }),
  z.strictObject({ kind: z.literal("times"), times: z.array(instant).min(1).max(MAX_TIMES) }),
  z.strictObject({ kind: z.literal("custom"), timezone: z.string() }),
]);

export const dagDefinition: z.ZodType<DagDefinition> = z
  .strictObject({
    dag_id: dagId,
    description: z.string().nullable(),
    tags: z.array(z.string().max(100)),
    schedule: schedule.nullable(),
    assets: assetCondition.exactOptional(),
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    catchup: z.boolean(),
    intervals: z.literal("previous").exactOptional(),
    jitter: z.number().positive().max(86_400).exactOptional(),
    max_consecutive_failed_runs: z.int32().min(1).exactOptional(),
    run_timeout: z.number().positive().max(LONGEST_TIMEOUT).exactOptional(),
    max_active_runs: z.int32().min(1),
    max_active_tasks: z.int32().min(1),
    max_active_tasks_per_dag: limit.exactOptional(),
    concurrency: z.strictObject({ key: expression, limit }).exactOptional(),
    params_schema: jsonObject.nullable(),
    is_paused_upon_creation: z.boolean(),
    callbacks: callbackEvents,
    callback_secrets: callbackSecrets,
    deadline: deadlineDefinition,
    tasks: z.array(taskDefinition).min(1, "a DAG needs at least one task").max(100_000),
    groups: z.array(groupDefinition).exactOptional(),
  })
  .refine(
    (definition) => isStorable(definition),
    "holds a NUL character or half a surrogate pair, which Postgres cannot keep",
  );
