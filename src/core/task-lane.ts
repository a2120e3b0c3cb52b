// Which limits an instance counts towards, from its task's definition.

import type { DagDefinition, Expression, TaskDefinition } from "./definition.ts";
import { hashText } from "./hash-text.ts";
import { type InputSources, resolveInputs } from "./inputs.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Lane } from "./plan-queue.ts";

export const DEFAULT_POOL = "default_pool";

/** Keys are indexed: a longer one is cut, and told apart by its hash. */
const LONGEST_KEY = 250;

export type LaneSettings = Omit<Lane, "id" | "run_id" | "dag_id" | "dag_run_id">;

/** @param task undefined: the run's version has lost it; what happens then is said where it starts */
export function planLane(definition: DagDefinition, task: TaskDefinition | undefined, key: string): LaneSettings {
  const { max_active = null, max_active_per_run = null, concurrency } = task ?? {};
  const cluster = task?.container?.cluster ?? "";
  const isWait = task?.kind === "wait";
  const hasLimits = max_active !== null || max_active_per_run !== null || concurrency !== undefined;
  const isApart = isWait || cluster !== "" || hasLimits;
  return {
    is_wait: isWait,
    cluster,
    pool: task?.pool ?? DEFAULT_POOL,
    pool_slots: task?.pool_slots ?? 1,
    task_id: task && isApart ? task.task_id : "",
    key,
    run_limit: definition.max_active_tasks,
    dag_limit: definition.max_active_tasks_per_dag ?? null,
    task_limit: max_active,
    task_run_limit: max_active_per_run,
    key_limit: concurrency && key !== "" ? concurrency.limit : null,
  };
}

/** The task with no inputs but the one that its concurrency names, for whoever resolves them; null: it has no key. */
export function keyedInput(task: TaskDefinition): TaskDefinition | null {
  if (task.kind === "wait") return null;
  const [name] = task.concurrency?.path ?? [];
  if (name === undefined) return null;
  const input = task.inputs[name];
  return { ...task, inputs: input === undefined ? {} : { [name]: input } };
}

/** The value that a task's concurrency counts by. */
export function readTaskKey(task: TaskDefinition, inputs: JsonObject): string {
  let value: Json = inputs;
  for (const name of task.concurrency?.path ?? []) {
    if (typeof value !== "object" || value === null) return "";
    value = (Array.isArray(value) ? value[Number(name)] : value[name]) ?? null;
  }
  return toKey(value);
}

/** The value that a DAG's concurrency counts by; null: it has none. */
export function readRunKey(key: Expression, sources: Pick<InputSources, "params" | "run">): string | null {
  const text = toKey(
    resolveInputs({ inputs: { key } }, { ...sources, results: new Map(), items: new Map() }).key ?? null,
  );
  return text === "" ? null : text;
}

/** null and empty text are no key: what has none is not limited. */
function toKey(value: Json): string {
  const text = value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= LONGEST_KEY ? text : `${text.slice(0, LONGEST_KEY)}…${hashText(text).toString(16)}`;
}
