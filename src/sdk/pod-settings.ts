// Options that say how an attempt's pod is launched and what becomes of it, beside the pod itself.

import type { TaskDefinition } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { type Duration, toSeconds } from "./duration.ts";

export interface PodRetention {
  /** Pods of which ended attempts stay to be looked at: none, of those that did not succeed, or all. */
  keep: "never" | "failed" | "always";
  /** … and for how long. Until someone deletes them unless given. */
  for?: Duration;
}

export interface MemoryGrowthOptions {
  /** After an out-of-memory kill the next attempt gets this many times the memory, from 1.1 to 10. */
  factor: number;
  /** Never more than this, e.g. "4Gi". */
  max: string;
}

export interface PodLifeOptions {
  /** Which pods stay once their attempts have ended. None unless given. */
  pods?: PodRetention;
  /** Give the next attempt more memory after an out-of-memory kill, and remember what was needed. */
  memoryGrowth?: MemoryGrowthOptions | null;
  /** From launch until a node has taken the pod. The startTimeout unless given. */
  scheduleTimeout?: Duration;
  /** From there until the task runs: pulling images, init containers. WINDLASS_START_TIMEOUT unless given. */
  startTimeout?: Duration;
}

export const POD_LIFE_OPTIONS = ["pods", "memoryGrowth", "scheduleTimeout", "startTimeout"] as const;

/** Checked options; undefined where the author gave none, null where they undo the DAG's default. */
export interface PodLife {
  pods?: TaskDefinition["pods"] | null;
  memory_growth?: TaskDefinition["memory_growth"] | null;
  schedule_timeout?: number;
  start_timeout?: number;
}

const LONGEST_KEPT = 365 * 86_400;
const LONGEST_WAIT = 30 * 86_400;
/** As people write it; core/quantity.ts has the whole grammar. */
const MEMORY = /^[1-9]\d*(?:\.\d+)?(?:[kMGTP]|[KMGTP]i)?$/;
const KEEP: ReadonlySet<unknown> = new Set(["never", "failed", "always"]);

/** @param where names the task or DAG */
export function compilePodLife(options: PodLifeOptions, where: string): PodLife {
  const { pods, memoryGrowth, scheduleTimeout, startTimeout } = options;
  return {
    ...(pods === undefined ? {} : { pods: compileRetention(pods, `${where}: pods`) }),
    ...(memoryGrowth === undefined ? {} : { memory_growth: compileGrowth(memoryGrowth, `${where}: memoryGrowth`) }),
    ...(scheduleTimeout === undefined
      ? {}
      : { schedule_timeout: toWait(scheduleTimeout, `${where}: scheduleTimeout`) }),
    ...(startTimeout === undefined ? {} : { start_timeout: toWait(startTimeout, `${where}: startTimeout`) }),
  };
}

/** What the definition holds of it: nothing that is the default. */
export function applyPodLife(own: PodLife, defaults: PodLife) {
  const { pods, memory_growth, schedule_timeout, start_timeout } = { ...defaults, ...own };
  return {
    ...(pods ? { pods } : {}),
    ...(memory_growth ? { memory_growth } : {}),
    ...(schedule_timeout === undefined ? {} : { schedule_timeout }),
    ...(start_timeout === undefined ? {} : { start_timeout }),
  };
}

function compileRetention(value: unknown, path: string): TaskDefinition["pods"] | null {
  const { keep, for: time } = readFields(value, ["keep", "for"], path, '{ keep: "failed", for: "1h" }');
  if (!KEEP.has(keep)) {
    throw authorError(`${path}.keep is ${describeValue(keep)}. Use "never", "failed" or "always".`);
  }
  if (keep === "never") {
    if (time !== undefined) throw authorError(`${path}.for says how long pods are kept, but keep is "never".`);
    return null;
  }
  const seconds = time === undefined ? null : toSeconds(time, `${path}.for`);
  if (seconds !== null && (seconds === 0 || seconds > LONGEST_KEPT)) {
    throw authorError(`${path}.for is ${describeValue(time)}. Use a time up to "365d", or leave it out.`);
  }
  return { keep: keep as "failed" | "always", for: seconds };
}

function compileGrowth(value: unknown, path: string): TaskDefinition["memory_growth"] | null {
  if (value === null) return null;
  const { factor, max } = readFields(value, ["factor", "max"], path, '{ factor: 2, max: "4Gi" }');
  if (typeof factor !== "number" || !(factor >= 1.1 && factor <= 10)) {
    throw authorError(`${path}.factor is ${describeValue(factor)}. Use a number from 1.1 to 10.`);
  }
  if (typeof max !== "string" || !MEMORY.test(max)) {
    throw authorError(`${path}.max is ${describeValue(max)}. Use an amount of memory such as "4Gi".`);
  }
  return { factor, max };
}

function toWait(value: unknown, path: string): number {
  const seconds = toSeconds(value, path);
  if (seconds > 0 && seconds <= LONGEST_WAIT) return seconds;
  throw authorError(`${path} is ${describeValue(value)}. Use a time up to "30d".`);
}

function readFields(value: unknown, known: readonly string[], path: string, example: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw authorError(`${path} is ${describeValue(value)}. Use an object such as ${example}.`);
  }
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw authorError(`${path}.${unknown} is unknown. The fields are ${known.join(", ")}.`);
  return { ...value };
}
