// Returns retries that are due, and queues what is ready within the limits.

import type { TaskDefinition } from "../core/definition.ts";
import { nameExecutor } from "../core/executor-name.ts";
import { podName } from "../core/pod-name.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { queueReadyTasks, returnDueRetries } from "../store/task-queue.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 500;

export async function queueReady(context: SchedulerContext): Promise<PassResult> {
  const { db, rules, clock, limits, newId } = context;
  const now = clock.now();
  const retries = await returnDueRetries(db, now);
  const placement = { newId, podName, place: (task: TaskDefinition | undefined) => placeTask(context, task) };
  const { queued, lanes, more } = await queueReadyTasks(
    db,
    rules.versions,
    placement,
    { ...limits, batch: BATCH },
    now,
  );
  return { counts: { returned: retries.returned, queued, lanes }, more, dueInMs: untilMs(retries.next_due, now) };
}

/** A cluster that this scheduler does not know may be known to another one: see refuse-strays.ts. */
function placeTask({ executor, remotes = [] }: SchedulerContext, task: TaskDefinition | undefined) {
  const cluster = task?.container?.cluster;
  const name = cluster === undefined ? executor.name : nameExecutor(cluster);
  const chosen = [executor, ...remotes].find((each) => each.name === name);
  return { executor: name, namespace: chosen?.namespaceFor(task?.pod ?? null) ?? null };
}
