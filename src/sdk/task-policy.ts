// The options of a task that say when it may run beside others, how urgent it is, and when it is tried again.

import type { RetryBackoff, TaskDefinition, WeightRule } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";

export interface TaskPolicyOptions {
  /** Whose slots it takes while it is queued or running. "default_pool" unless given. */
  pool?: string;
  /** How many of them. 1 unless given. */
  poolSlots?: number;
  /** Of tasks that could be queued, those with more come first. 1 unless given. */
  priorityWeight?: number;
  /** Whose weights are added to its own: of all tasks after it ("downstream", unless given), before it, or none. */
  weightRule?: WeightRule;
  /** Instances of it that may be queued or running at once, in all runs of the DAG together. No limit unless given. */
  maxActive?: number;
  /** The same in each run. */
  maxActivePerRun?: number;
  /** Each retry waits longer: true doubles, from `retryDelay` on. Spread so that not all come at once. At most a day. */
  retryBackoff?: boolean | { factor?: number; max?: Duration };
  /** Names of errors (`error.name`), or kinds of end such as "timed_out", after which alone it is tried again. */
  retryOn?: readonly string[];
  /** … after which it is not, whatever retries are left. */
  noRetryOn?: readonly string[];
  /** Waits until it has succeeded or was skipped in the run before, by logical date. */
  dependsOnPast?: boolean;
  /** And until the tasks directly after it have, too. */
  waitForDownstream?: boolean;
}

export interface TaskConcurrency {
  /** Which input, or "input.field" of one: at most `limit` instances with the same value are active, in all runs. */
  key: string;
  limit: number;
}

type Policy = Pick<
  TaskDefinition,
  | "pool"
  | "pool_slots"
  | "priority_weight"
  | "weight_rule"
  | "max_active"
  | "max_active_per_run"
  | "concurrency"
  | "retry_on"
  | "no_retry_on"
  | "depends_on_past"
  | "wait_for_downstream"
>;

/** Checked; only what the author gave. */
export interface TaskPolicy extends Policy {
  /** null: not, whatever the DAG's defaults say. */
  retry_backoff?: RetryBackoff | null;
}

type Given = { [Name in keyof TaskPolicyOptions]: unknown } & { concurrency?: unknown };

export const POLICY_OPTIONS = Object.keys({
  pool: true,
  poolSlots: true,
  priorityWeight: true,
  weightRule: true,
  maxActive: true,
  maxActivePerRun: true,
  retryBackoff: true,
  retryOn: true,
  noRetryOn: true,
  dependsOnPast: true,
  waitForDownstream: true,
} satisfies Record<keyof TaskPolicyOptions, true>);

const RULES: Record<WeightRule, true> = { downstream: true, upstream: true, absolute: true };
const LARGEST = 2 ** 31 - 1;
const DEFAULTS: Policy = {
  pool: "default_pool",
  pool_slots: 1,
  priority_weight: 1,
  weight_rule: "downstream",
  depends_on_past: false,
  wait_for_downstream: false,
};

/** @param where names the task or DAG */
export function compilePolicy(given: Given, where: string): TaskPolicy {
  const read = <Value>(name: keyof Given, check: (value: unknown, path: string) => Value) =>
    given[name] === undefined ? undefined : check(given[name], `${where}: ${name}`);
  return dropUndefined({
    pool: read("pool", checkPool),
    pool_slots: read("poolSlots", checkLimit),
    priority_weight: read("priorityWeight", checkWeight),
    weight_rule: read("weightRule", checkWeightRule),
    max_active: read("maxActive", checkLimit),
    max_active_per_run: read("maxActivePerRun", checkLimit),
    concurrency: read("concurrency", checkConcurrency),
    retry_backoff: read("retryBackoff", checkBackoff),
    retry_on: read("retryOn", checkNames),
    no_retry_on: read("noRetryOn", checkNames),
    depends_on_past: read("dependsOnPast", checkFlag),
    wait_for_downstream: read("waitForDownstream", checkFlag),
  });
}

/** What the definition says: the task's own over the DAG's defaults, without what is the default anyway. */
export function settlePolicy(own: TaskPolicy, defaults: TaskPolicy): Policy & { retry_backoff?: RetryBackoff } {
  const { retry_backoff, ...policy } = { ...defaults, ...own };
  const said = Object.entries(policy).filter(([name, value]) => DEFAULTS[name as keyof Policy] !== value);
  return { ...(Object.fromEntries(said) as Policy), ...(retry_backoff ? { retry_backoff } : {}) };
}

/** That the key of its concurrency is one of the inputs of this call. */
export function checkKeyedInput(policy: TaskPolicy, inputs: TaskDefinition["inputs"], where: string): void {
  const [name] = policy.concurrency?.path ?? [];
  if (name === undefined || Object.hasOwn(inputs, name)) return;
  const known = Object.keys(inputs).join(", ");
  throw authorError(
    `${where}: the key of concurrency is input "${name}", ${known === "" ? "but there are no inputs" : `but the inputs are ${known}`}. Name one of them.`,
  );
}

export function checkLimit(value: unknown, path: string): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST) return Number(value);
  throw authorError(`${path} is ${describeValue(value)}. Use a whole number from 1 on.`);
}

function checkPool(value: unknown, path: string): string {
  // One word for the command line and the path of a URL.
  if (typeof value === "string" && /^[A-Za-z0-9_.-]{1,250}$/.test(value)) return value;
  throw authorError(`${path} is ${describeValue(value)}. Use letters, digits, "_", "." and "-".`);
}

function checkWeight(value: unknown, path: string): number {
  if (Number.isInteger(value) && Math.abs(Number(value)) <= LARGEST) return Number(value);
  throw authorError(`${path} is ${describeValue(value)}. Use a whole number.`);
}

function checkWeightRule(value: unknown, path: string): WeightRule {
  if (typeof value === "string" && Object.hasOwn(RULES, value)) return value as WeightRule;
  throw authorError(`${path} is ${describeValue(value)}. Use one of ${Object.keys(RULES).join(", ")}.`);
}

function checkFlag(value: unknown, path: string): boolean {
  if (typeof value === "boolean") return value;
  throw authorError(`${path} is ${describeValue(value)}. Use true or false.`);
}

function checkNames(value: unknown, path: string): string[] {
  if (Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "")) return [...value];
  throw authorError(`${path} is ${describeValue(value)}. Use a list of error names, e.g. ["TimeoutError"].`);
}

function checkConcurrency(value: unknown, path: string): { path: string[]; limit: number } {
  if (typeof value !== "object" || value === null) {
    throw authorError(`${path} is ${describeValue(value)}. Use an object such as { key: "customer", limit: 1 }.`);
  }
  const { key, limit } = value as { key?: unknown; limit?: unknown };
  if (typeof key !== "string" || key.split(".").includes("")) {
    throw authorError(`${path}.key is ${describeValue(key)}. Name an input, e.g. "customer" or "order.customer".`);
  }
  return { path: key.split("."), limit: checkLimit(limit, `${path}.limit`) };
}

function checkBackoff(value: unknown, path: string): RetryBackoff | null {
  if (value === false) return null;
  if (value === true) return { factor: 2 };
  if (typeof value !== "object" || value === null) {
    throw authorError(`${path} is ${describeValue(value)}. Use true, or an object such as { factor: 2, max: "1h" }.`);
  }
  const { factor = 2, max } = value as { factor?: unknown; max?: unknown };
  if (!(typeof factor === "number" && factor >= 1 && factor <= 100)) {
    throw authorError(`${path}.factor is ${describeValue(factor)}. Use a number from 1 to 100.`);
  }
  if (max === undefined) return { factor };
  const longest = toSeconds(max, `${path}.max`);
  if (longest > 86_400) throw authorError(`${path}.max is longer than a day. Use at most "1d".`);
  return { factor, max: longest };
}

function dropUndefined<Fields extends object>(given: Fields) {
  // An optional field is absent, not undefined, in what is written down.
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
