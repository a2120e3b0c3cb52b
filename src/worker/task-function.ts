// What a worker calls for a task: the author's function with its decision checked, or the task's command.

import { findDecisionFault } from "../core/decision.ts";
import type { Mask } from "../core/mask-secrets.ts";
import type { CompiledDag, CompiledFunction } from "../sdk/compiled.ts";

/** What only commands need. */
export interface CommandSurroundings {
  environment: NodeJS.ProcessEnv;
  /** Its result is a line of its log. */
  mask: Mask;
}

/** null: the bundle has nothing to run for the task. */
export function findTaskFunction(
  dag: CompiledDag,
  taskId: string,
  { environment, mask }: CommandSurroundings,
): CompiledFunction | null {
  const operator = dag.definition.tasks.find((task) => task.task_id === taskId)?.operator;
  const run = dag.functions[taskId];
  if (operator?.type === "bash") {
    return async (inputs, runtime) => {
      // Loaded for those alone who need it: node:child_process costs every other task its start.
      const { runBash } = await import("./run-bash.ts");
      const envs = [await run?.(inputs, runtime), inputs["env"]];
      return runBash(operator, envs, runtime.signal, { environment, mask });
    };
  }
  if (!run) return null;
  if (operator?.type !== "branch") return run;
  return async (inputs, runtime) => {
    const choice = await run(inputs, runtime);
    const fault = findDecisionFault(operator, choice);
    if (fault !== null) throw Object.assign(new Error(fault), { name: "UnknownChoice" });
    return choice;
  };
}
