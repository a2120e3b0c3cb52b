// Returns retries that are due, and queues what is ready within the limits.

import { podName } from "../core/pod-name.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { queueReadyTasks, returnDueRetries } from "../store/task-queue.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 500;

export async function queueReady({ db, executor, rules, clock, limits, newId }: SchedulerContext): Promise<PassResult> {
  const now = clock.now();
  const retries = await returnDueRetries(db, now);
  const placement = {
    executor: executor.name,
    newId,
    podName,
    namespaceFor: executor.namespaceFor,
  };
  const { queued, lanes, more } = await queueReadyTasks(
    db,
    rules.versions,
    placement,
    { parallelism: limits.parallelism, batch: BATCH },
    now,
  );
  return { counts: { returned: retries.returned, queued, lanes }, more, dueInMs: untilMs(retries.next_due, now) };
}
