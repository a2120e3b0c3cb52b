// The options of a task, and a DAG's defaults for them.

import type { TriggerRule } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { authorError, describeValue } from "./author-error.ts";
import type { TaskCallbacks } from "./callbacks.ts";
import { type Duration, toSeconds } from "./duration.ts";
import { compilePod, mergePods, type PodOverride } from "./pod-override.ts";
import { applyPodLife, compilePodLife, POD_LIFE_OPTIONS, type PodLife, type PodLifeOptions } from "./pod-settings.ts";
import {
  compilePolicy,
  POLICY_OPTIONS,
  settlePolicy,
  type TaskConcurrency,
  type TaskPolicy,
  type TaskPolicyOptions,
} from "./task-policy.ts";

export interface TaskDefaults extends TaskPolicyOptions, PodLifeOptions {
  /** Tries after the first that the task's own failures may spend; faults of the cluster do not count. 0 unless given. */
  retries?: number;
  /** From a failure to the next try. 5 minutes unless given. */
  retryDelay?: Duration;
  /** Each try's limit, from the first line of the task's code; null or nothing is no limit. */
  executionTimeout?: Duration | null;
  /** A partial Pod, merged over the installation's template. A task's own is merged over the DAG's default. */
  pod?: PodOverride;
}

export interface TaskOptions extends TaskDefaults, TaskCallbacks {
  /** What the states of the direct upstream tasks must be. "all_success" unless given. */
  triggerRule?: TriggerRule;
  /** At most so many instances at once, in all runs, for which an input has the same value. */
  concurrency?: TaskConcurrency;
  description?: string;
}

/** Checked options; undefined where the author gave none. */
export interface TaskSettings {
  retries: number | undefined;
  retryDelay: number | undefined;
  executionTimeout: number | null | undefined;
  pod: JsonObject | undefined;
  policy: TaskPolicy;
  podLife: PodLife;
}

const RULES: Record<TriggerRule, true> = {
  all_success: true,
  all_failed: true,
  all_done: true,
  all_skipped: true,
  one_success: true,
  one_failed: true,
  one_done: true,
  none_failed: true,
  none_failed_min_one_success: true,
  none_skipped: true,
  all_done_min_one_success: true,
  all_done_setup_success: true,
  always: true,
};

const DEFAULTS = ["retries", "retryDelay", "executionTimeout", "pod", ...POLICY_OPTIONS, ...POD_LIFE_OPTIONS];
const CALLBACKS: readonly (keyof TaskCallbacks)[] = ["onSuccess", "onFailure", "onRetry", "onSkip"];
export const TASK_OPTIONS = [...DEFAULTS, "triggerRule", "concurrency", "description", "outlets", ...CALLBACKS];

export const NO_SETTINGS: TaskSettings = {
  retries: undefined,
  retryDelay: undefined,
  executionTimeout: undefined,
  pod: undefined,
  policy: {},
  podLife: {},
};

/** @param where names the task or DAG, e.g. `task "load"` */
export function compileSettings(
  options: TaskDefaults,
  where: string,
  known: readonly string[] = DEFAULTS,
): TaskSettings {
  refuseUnknownOptions(options, known, where);
  const { retries, retryDelay, executionTimeout, pod } = options;
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0 && retries <= 1000)) {
    throw authorError(`${where}: retries is ${describeValue(retries)}. Use a whole number from 0 to 1000.`);
  }
  const delay = retryDelay === undefined ? undefined : toSeconds(retryDelay, `${where}: retryDelay`);
  if (delay !== undefined && delay > 86_400)
    throw authorError(`${where}: retryDelay is longer than a day. Use at most "1d".`);
  const timeout =
    executionTimeout === undefined || executionTimeout === null
      ? executionTimeout
      : toSeconds(executionTimeout, `${where}: executionTimeout`);
  if (timeout === 0) throw authorError(`${where}: executionTimeout is 0. Use a longer time, or null for no limit.`);
  return {
    retries,
    retryDelay: delay,
    executionTimeout: timeout,
    pod: pod === undefined ? undefined : compilePod(pod, `${where}: pod`),
    policy: compilePolicy(options, where),
    podLife: compilePodLife(options, where),
  };
}

/** What the definition says of a task: its own settings, then the DAG's defaults, then Windlass' own. */
export function applyDefaults(own: TaskSettings, defaults: TaskSettings) {
  const executionTimeout = own.executionTimeout === undefined ? defaults.executionTimeout : own.executionTimeout;
  return {
    retries: own.retries ?? defaults.retries ?? 0,
    retry_delay: own.retryDelay ?? defaults.retryDelay ?? 300,
    execution_timeout: executionTimeout ?? null,
    pod: own.pod && defaults.pod ? mergePods(defaults.pod, own.pod) : (own.pod ?? defaults.pod ?? null),
    ...settlePolicy(own.policy, defaults.policy),
    ...applyPodLife(own.podLife, defaults.podLife),
  };
}

export function checkTriggerRule(rule: unknown, where: string): TriggerRule {
  if (rule === undefined) return "all_success";
  if (typeof rule === "string" && Object.hasOwn(RULES, rule)) return rule as TriggerRule;
  throw authorError(`${where}: triggerRule is ${describeValue(rule)}. Use one of ${Object.keys(RULES).join(", ")}.`);
}

export function checkDescription(description: unknown, where: string): string | null {
  if (description === undefined || description === null) return null;
  if (typeof description === "string") return description;
  throw authorError(`${where}: description is ${describeValue(description)}. Use a string.`);
}

/** A misspelt option would otherwise do nothing, in silence. */
export function refuseUnknownOptions(options: unknown, known: readonly string[], where: string): void {
  if (typeof options !== "object" || options === null) {
    throw authorError(`${where}: the options are ${describeValue(options)}. Use an object such as { retries: 2 }.`);
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw authorError(`${where}: the option ${unknown} is unknown. The options are ${known.join(", ")}.`);
}
