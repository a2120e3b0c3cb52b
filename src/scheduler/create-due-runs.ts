// Creates the runs that schedules call for, and starts queued ones.

import type { PassResult } from "../lifecycle/loop.ts";
import { createDueRuns } from "../store/due-runs.ts";
import { startQueuedRuns } from "../store/run-advance.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 50;

export async function createAndStartRuns({ db, rules, clock }: SchedulerContext): Promise<PassResult> {
  const now = clock.now();
  const due = await createDueRuns(db, now, BATCH);
  const queued = await startQueuedRuns(db, rules.versions, now, BATCH);
  const waits = [untilMs(due.next_due, now), untilMs(queued.next_due, now)].filter((ms) => ms !== null);
  return {
    counts: { created: due.created, started: queued.started },
    more: due.more || queued.started === BATCH,
    dueInMs: waits.length > 0 ? Math.min(...waits) : null,
  };
}
