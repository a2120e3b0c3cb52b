// Which setups a task depends on beyond its direct upstream, as in Airflow: those above it that have no teardown, or one
// that comes after the task, so that what was set up is there while the task runs.

import type { TaskDefinition } from "./definition.ts";
import { reach } from "./reach.ts";

/** By task id, the setups that its trigger rule counts; tasks without any are left out. */
export function findSetups(
  tasks: ReadonlyMap<string, TaskDefinition>,
  downstream: ReadonlyMap<string, readonly string[]>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const setups = [...tasks.values()].filter((task) => task.role === "setup");
  for (const { task_id } of setups) {
    const teardowns = (downstream.get(task_id) ?? []).filter((id) => tasks.get(id)?.role === "teardown");
    const before = teardowns.map((teardown) => reach([teardown], (id) => tasks.get(id)?.upstream));
    for (const id of reach([task_id], (next) => downstream.get(next))) {
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
