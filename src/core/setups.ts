// Which setups a task depends on beyond its direct upstream, as in Airflow: those above it that have no teardown, or one
// that comes after the task, so that what was set up is there while the task runs.

import type { TaskDefinition } from "./definition.ts";

/** By task id, the setups that its trigger rule counts; tasks without any are left out. */
export function findSetups(
  tasks: ReadonlyMap<string, TaskDefinition>,
  downstream: ReadonlyMap<string, readonly string[]>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const setups = [...tasks.values()].filter((task) => task.role === "setup");
  for (const { task_id } of setups) {
    const teardowns = (downstream.get(task_id) ?? []).filter((id) => tasks.get(id)?.role === "teardown");
    const before = teardowns.map((teardown) => walk(teardown, (id) => tasks.get(id)?.upstream ?? []));
    for (const id of walk(task_id, (next) => downstream.get(next) ?? [])) {
      const task = tasks.get(id);
      if (!task) continue;
      const isDirect = task.upstream.includes(task_id);
      const counts =
        task.trigger_rule === "all_done_setup_success"
          ? isDirect
          : !isDirect && (teardowns.length === 0 || before.some((above) => above.has(id)));
      if (!counts) continue;
      const known = found.get(id);
      if (known) known.push(task_id);
      else found.set(id, [task_id]);
    }
  }
  return found;
}

/** All that is reached from a task, without it. */
function walk(start: string, next: (id: string) => readonly string[]): Set<string> {
  const reached = new Set(next(start));
  // The set grows while it is walked.
  for (const id of reached) for (const further of next(id)) reached.add(further);
  return reached;
}
