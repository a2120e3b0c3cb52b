// Tasks that wait without a pod or a slot: for a time, an event from outside, a person's answer, a run of another DAG.

import type { WaitOperator } from "../core/operator.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import type { CompiledFunction } from "./compiled.ts";
import { type Blueprint, createTask, readBlueprint, type Task } from "./create-task.ts";
import { type Duration, toSeconds } from "./duration.ts";
import { checkIdentifier } from "./identifier.ts";
import type { NoInput } from "./input.ts";
import { compileParamsSchema, type ParamsSchema } from "./params.ts";
import type { Serialised } from "./output.ts";
import { SECRET_OPTIONS } from "./task-secrets.ts";
import { refuseUnknownOptions, TASK_OPTIONS, type TaskOptions } from "./task-settings.ts";

export interface WaitOptions extends Omit<TaskOptions, "pod" | "executionTimeout"> {
  /** From its first look until it gives up, across everything. Never unless given. */
  timeout?: Duration;
  /** Whether giving up skips it, in place of failing it. */
  softFail?: boolean;
}

// `Omit` of a union would lose what only some of its members have.
type OwnFields<T> = T extends unknown ? Omit<T, "timeout" | "soft_fail"> : never;

const WAIT_OPTIONS = [
  ...TASK_OPTIONS.filter((name) => name !== "pod" && name !== "executionTimeout"),
  "timeout",
  "softFail",
];

/** What all waits have in common; `own` are the names of this one's options, and `read` makes its operator of them. */
export function readWait(
  id: string,
  options: unknown,
  own: readonly string[],
  read: (given: { [name: string]: unknown }, where: string) => OwnFields<WaitOperator>,
  run: CompiledFunction | null = null,
  defaultTimeout: number | null = null,
): Blueprint {
  checkIdentifier("task", id);
  const where = `task "${id}"`;
  refuseUnknownOptions(options, [...own, ...WAIT_OPTIONS, ...(run ? SECRET_OPTIONS : [])], where);
  const given = options as { [name: string]: unknown };
  const { timeout, softFail = false } = given;
  if (typeof softFail !== "boolean") {
    throw authorError(`${where}: softFail is ${describeValue(softFail)}. Use true or false.`);
  }
  const others = new Set([...own, "timeout", "softFail"]);
  const shared = Object.fromEntries(Object.entries(given).filter(([name]) => !others.has(name)));
  const limits = {
    timeout: timeout === undefined ? defaultTimeout : toSeconds(timeout, `${where}: timeout`),
    soft_fail: softFail,
  };
  const operator: WaitOperator = { ...read(given, where), ...limits };
  return { ...readBlueprint("wait", shared, where, run), operator };
}

/** Waits until an instant: ISO 8601 with its offset. */
export function waitUntil(id: string, options: WaitOptions = {}): Task<{ until: string }, null> {
  return createTask(
    id,
    atAuthorsLine(waitUntil, () => readWait(id, options, [], () => ({ type: "wait_until" }))),
  );
}

/** Waits for a time, from when its upstream is done. */
export function waitFor(id: string, duration: Duration, options: WaitOptions = {}): Task<NoInput, null> {
  const blueprint = atAuthorsLine(waitFor, () =>
    readWait(id, options, [], (_, where) => ({ type: "wait_for", seconds: toSeconds(duration, `${where}: duration`) })),
  );
  return createTask<NoInput, null>(id, blueprint);
}

export interface EventOptions<T extends object> extends WaitOptions {
  /** A zod object; what is delivered is checked against it, and is the task's result. */
  schema?: ParamsSchema<T>;
}

/** Waits for `POST …/taskInstances/{id}/event`, whose payload is its result. */
export function waitForEvent<T extends object = Record<string, unknown>>(
  id: string,
  options: EventOptions<T> = {},
): Task<NoInput, Serialised<T>> {
  const blueprint = atAuthorsLine(waitForEvent, () =>
    readWait(id, options, ["schema"], ({ schema }, where) => ({
      type: "event",
      schema: compileParamsSchema(schema, `${where}: schema`),
    })),
  );
  return createTask<NoInput, Serialised<T>>(id, blueprint);
}

export interface ApprovalOptions<Option extends string> extends WaitOptions {
  /** What the person is asked. The task's id unless given. */
  subject?: string;
  /** "approve" and "reject" unless given. */
  options?: readonly Option[];
  /** Answers that skip the task, and with it what needs it. "reject" unless given, if that is an option. */
  rejects?: readonly NoInfer<Option>[];
  /** Taken at the timeout, in place of giving up. */
  default?: NoInfer<Option>;
}

export interface ApprovalResult<Option extends string> {
  option: Option;
  /** null: nobody, the default was taken; or an installation without sign-in. */
  user: string | null;
  note: string | null;
}

const ANSWERS = ["approve", "reject"];

/** Waits for a person, who answers by `PATCH …/taskInstances/{id}/{map_index}/hitlDetails`. */
export function approval<const Option extends string = "approve" | "reject">(
  id: string,
  options: ApprovalOptions<Option> = {},
): Task<NoInput, ApprovalResult<Option>> {
  const blueprint = atAuthorsLine(approval, () =>
    readWait(id, options, ["subject", "options", "rejects", "default"], (given, where) => {
      const { subject = id, default: chosen = null } = given;
      if (typeof subject !== "string") throw authorError(`${where}: subject is ${describeValue(subject)}. Use text.`);
      const known = checkNames(given["options"] ?? ANSWERS, `${where}: options`, null);
      const rejects = given["rejects"] ?? known.filter((option) => option === "reject");
      const taken = chosen === null ? null : (checkNames([chosen], `${where}: default`, known)[0] ?? null);
      if (taken !== null && given["timeout"] === undefined) {
        throw authorError(`${where}: default is taken at the timeout, but there is none. Give it a timeout.`);
      }
      return {
        type: "approval",
        subject,
        options: known,
        rejects: checkNames(rejects, `${where}: rejects`, known),
        default: taken,
      };
    }),
  );
  return createTask<NoInput, ApprovalResult<Option>>(id, blueprint);
}

function checkNames(value: unknown, path: string, known: readonly string[] | null): string[] {
  if (!Array.isArray(value) || (known === null && value.length === 0)) {
    throw authorError(`${path} is ${describeValue(value)}. Use a list such as ["approve", "reject"].`);
  }
  return value.map((name: unknown) => {
    if (typeof name === "string" && name !== "" && (known === null || known.includes(name))) return name;
    const which = known === null ? "Use text" : `Use one of ${known.map((each) => `"${each}"`).join(", ")}`;
    throw authorError(`${path} has ${describeValue(name)}. ${which}.`);
  });
}

export interface TriggerDagOptions extends WaitOptions {
  dagId: string;
  /** Whether it waits for the run to end, and fails with it. False unless given. */
  wait?: boolean;
}

export interface TriggeredDag {
  dag_run_id: string;
  /** As far as it was known. */
  state: string | null;
}

/** Creates a run of another DAG, one for each try, and may wait for its end. */
export function triggerDag(
  id: string,
  options: TriggerDagOptions,
): Task<{ conf?: { [name: string]: unknown } }, TriggeredDag> {
  const blueprint = atAuthorsLine(triggerDag, () =>
    readWait(id, options, ["dagId", "wait"], ({ dagId, wait = false }, where) => {
      if (typeof wait !== "boolean") throw authorError(`${where}: wait is ${describeValue(wait)}. Use true or false.`);
      return { type: "trigger_dag", dag_id: checkDagId(dagId, where), wait };
    }),
  );
  return createTask<{ conf?: { [name: string]: unknown } }, TriggeredDag>(id, blueprint);
}

export interface ExternalTaskOptions extends WaitOptions {
  dagId: string;
  /** The run as a whole unless given. */
  taskId?: string;
  /** How often it looks. 30 s unless given. */
  every?: Duration;
  /** States that it waits for; "success" unless given. */
  succeeds?: readonly string[];
  /** States that fail it; "failed" and "upstream_failed" unless given. */
  fails?: readonly string[];
}

/** Which run of the other DAG: by its id, or by its logical date. */
export interface ExternalTaskInputs {
  run_id?: string | null;
  logical_date?: string | null;
}

const EXTERNAL_EVERY = 30;

/** Waits for a run of another DAG, or a task in it. */
export function externalTask(id: string, options: ExternalTaskOptions): Task<ExternalTaskInputs, { state: string }> {
  const own = ["dagId", "taskId", "every", "succeeds", "fails"];
  const blueprint = atAuthorsLine(externalTask, () =>
    readWait(id, options, own, (given, where) => {
      const {
        dagId,
        taskId,
        every = EXTERNAL_EVERY,
        succeeds = ["success"],
        fails = ["failed", "upstream_failed"],
      } = given;
      if (taskId !== undefined) checkIdentifier("task", taskId);
      return {
        type: "external_task",
        dag_id: checkDagId(dagId, where),
        task_id: typeof taskId === "string" ? taskId : null,
        every: checkInterval(every, `${where}: every`),
        succeeds: checkNames(succeeds, `${where}: succeeds`, null),
        fails: checkNames(fails, `${where}: fails`, Array.isArray(fails) ? fails : null),
      };
    }),
  );
  return createTask<ExternalTaskInputs, { state: string }>(id, blueprint);
}

function checkDagId(dagId: unknown, where: string): string {
  if (typeof dagId === "string" && dagId !== "") return dagId;
  throw authorError(`${where}: dagId is ${describeValue(dagId)}. Name the other DAG.`);
}

export function checkInterval(every: unknown, path: string): number {
  const seconds = toSeconds(every, path);
  if (seconds >= 1 && seconds <= 86_400) return seconds;
  throw authorError(`${path} is ${describeValue(every)}. Use at least "1s" and at most "1d".`);
}
