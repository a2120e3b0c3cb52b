// What a test says of the world outside of its run, checked before the run begins: what cannot come to pass is a mistake of the
// test, not an end of a task.

import { checkPayload } from "../api/trigger-params.ts";
import { listAssets } from "../core/asset-condition.ts";
import type { DagDefinition, TaskDefinition } from "../core/definition.ts";
import { failure, messageOf } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { WaitOperator } from "../core/operator.ts";
import type { Outside } from "./run-wait.ts";

/**
 * Returns the payloads of the events with the defaults of their schemas.
 * Errors: invalid_request.
 */
export function checkOutside(
  definition: DagDefinition,
  { answers, events }: { answers: Outside["answers"]; events: { readonly [taskId: string]: Json } },
): Pick<Outside, "answers" | "events"> {
  for (const [id, option] of Object.entries(answers)) {
    const { options } = findWait(definition, id, "approval", "an answer");
    if (options.includes(option)) continue;
    throw failure(
      "invalid_request",
      `nobody can answer "${option}" to task "${id}": choose one of ${options.join(", ")}`,
    );
  }
  const checked = Object.entries(events).map(([id, given]): [string, JsonObject] => {
    const { schema } = findWait(definition, id, "event", "an event");
    const payload = readJson(given, `the event of task "${id}"`);
    return [id, schema === null ? payload : checkPayload(id, schema, payload)];
  });
  return { answers, events: Object.fromEntries(checked) };
}

/**
 * What travels as JSON of an object.
 * Errors: invalid_request.
 */
export function readJson(given: unknown, what: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(JSON.stringify(given) ?? "null");
  } catch (error) {
    throw failure("invalid_request", `${what} cannot travel as JSON: ${messageOf(error)}`, { cause: error });
  }
  if (isJsonObject(value)) return value;
  throw failure("invalid_request", `${what} is ${JSON.stringify(value)}; give an object`);
}

/** Errors: invalid_request. */
export function checkAssetEvents({ dag_id, assets }: DagDefinition, names: readonly string[]): void {
  const known = assets ? listAssets(assets).map(({ name }) => name) : [];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const list = known.length === 0 ? "none" : known.join(", ");
  throw failure("invalid_request", `assetEvents names "${unknown}"; assets that DAG "${dag_id}" waits for: ${list}`);
}

function findWait<Type extends WaitOperator["type"]>(
  { tasks }: DagDefinition,
  id: string,
  type: Type,
  what: string,
): WaitOperator & { type: Type } {
  const waits = (task: TaskDefinition): task is TaskDefinition & { operator: WaitOperator & { type: Type } } =>
    task.operator?.type === type;
  const found = tasks.filter(waits).find(({ task_id }) => task_id === id);
  if (found) return found.operator;
  const known = tasks.filter(waits).map(({ task_id }) => task_id);
  const list = known.length === 0 ? "none" : known.join(", ");
  throw failure("invalid_request", `${what} is given for "${id}"; tasks that wait for one: ${list}`);
}
