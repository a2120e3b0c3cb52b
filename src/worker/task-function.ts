// What a worker calls for a task: the author's function, its decision checked.

import { findDecisionFault } from "../core/decision.ts";
import type { CompiledDag, CompiledFunction } from "../sdk/compiled.ts";

/** null: the bundle has nothing to run for the task. */
export function findTaskFunction(dag: CompiledDag, taskId: string): CompiledFunction | null {
  const operator = dag.definition.tasks.find((task) => task.task_id === taskId)?.operator;
  const run = dag.functions[taskId];
  if (!run) return null;
  if (operator?.type !== "branch") return run;
  return async (inputs, runtime) => {
    const choice = await run(inputs, runtime);
    const fault = findDecisionFault(operator, choice);
    if (fault !== null) throw Object.assign(new Error(fault), { name: "UnknownChoice" });
    return choice;
  };
}
