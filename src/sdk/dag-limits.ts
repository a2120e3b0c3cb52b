// What a DAG says of its runs and tasks beside each other.

import type { DagDefinition } from "../core/definition.ts";
import { authorError, describeValue } from "./author-error.ts";
import { compileInput } from "./compile-input.ts";
import { checkLimit } from "./task-policy.ts";

type DagLimits = Pick<DagDefinition, "max_active_tasks_per_dag" | "concurrency">;

/**
 * @param context what the key is made of
 * @param owner the DAG whose references these are
 */
export function compileDagLimits(
  given: { maxActiveTasksPerDag?: unknown; concurrency?: unknown },
  where: string,
  context: object,
  owner: object,
): DagLimits {
  const { maxActiveTasksPerDag: tasks, concurrency } = given;
  return {
    ...(tasks === undefined ? {} : { max_active_tasks_per_dag: checkLimit(tasks, `${where}: maxActiveTasksPerDag`) }),
    ...(concurrency === undefined
      ? {}
      : { concurrency: compileConcurrency(concurrency, `${where}: concurrency`, context, owner) }),
  };
}

function compileConcurrency(given: unknown, path: string, context: object, owner: object) {
  const { key, limit } = (typeof given === "object" && given !== null ? given : {}) as {
    key?: unknown;
    limit?: unknown;
  };
  if (typeof key !== "function") {
    throw authorError(
      `${path} is ${describeValue(given)}. Use { key: ({ params }) => params.customer, limit: 1 }, with a param or fact of the run.`,
    );
  }
  const expression = compileInput(key(context), `${path}.key`, { owner, scope: null });
  if (expression.kind === "value") {
    throw authorError(`${path}.key is the same for all runs. Return a param or fact of the run, or use maxActiveRuns.`);
  }
  return { key: expression, limit: checkLimit(limit, `${path}.limit`) };
}
