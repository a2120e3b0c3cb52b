// What a worker calls for a task: the author's function with its decision checked, or the task's command.

import { findDecisionFault } from "../core/decision.ts";
import type { CompiledDag, CompiledFunction } from "../sdk/compiled.ts";

/**
 * null: the bundle has nothing to run for the task.
 * @param environment that of commands
 */
export function findTaskFunction(
  dag: CompiledDag,
  taskId: string,
  environment: NodeJS.ProcessEnv,
): CompiledFunction | null {
  const operator = dag.definition.tasks.find((task) => task.task_id === taskId)?.operator;
  if (operator?.type === "bash") {
    return async (inputs, { signal }) => {
      // Loaded for those alone who need it: node:child_process costs every other task its start.
      const { runBash } = await import("./run-bash.ts");
      return runBash(operator, inputs, signal, environment);
    };
  }
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
