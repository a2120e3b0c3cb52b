// What tasks other than plain functions, pods and empty ones do, as data. A task's `operator` is absent for those.

import type { JsonObject } from "./json.ts";

/** What runs in a worker, as functions do: the decision is the task's result, the skipping is planned from it. */
export type DecidingOperator =
  /** The function returns one name, several, or null for none; each stands for direct downstream tasks. */
  | { type: "branch"; choices: { [name: string]: string[] } }
  /** When the function returns something falsy: everything downstream is skipped, or only what comes directly after it. */
  | { type: "short_circuit"; skips: "all" | "direct" };

export type BashOperator = {
  type: "bash";
  command: string;
  env: { [name: string]: string };
  /** Exit codes by which it says that there was nothing to do. */
  skip_on_exit_codes: number[];
};

/** What all waits have in common; a task of kind "wait" holds no pod and no slot. */
export type WaitLimits = {
  /** Seconds from its first look until it gives up, across everything; null: never. */
  timeout: number | null;
  /** Whether a timeout skips it instead of failing it. */
  soft_fail: boolean;
};

export type WaitOperator = WaitLimits &
  (
    | { type: "sensor"; every: number; backoff: boolean }
    /** Its input `until` is an instant. */
    | { type: "wait_until" }
    | { type: "wait_for"; seconds: number }
    /** JSON Schema of what is delivered; null: anything. */
    | { type: "event"; schema: JsonObject | null }
    | { type: "approval"; subject: string; options: string[]; rejects: string[]; default: string | null }
    /** Its input `conf` goes to the run. */
    | { type: "trigger_dag"; dag_id: string; wait: boolean }
    /** Its inputs are `run_id` or `logical_date` of the other run. */
    | {
        type: "external_task";
        dag_id: string;
        task_id: string | null;
        every: number;
        succeeds: string[];
        fails: string[];
      }
  );

export function isWait(operator: Operator | undefined): operator is WaitOperator {
  switch (operator?.type) {
    case undefined:
    case "branch":
    case "short_circuit":
    case "bash":
      return false;
    default:
      return true;
  }
}

export type Operator = DecidingOperator | BashOperator | WaitOperator;
