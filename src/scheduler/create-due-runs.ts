// Creates the runs that schedules, assets and backfills call for, starts queued ones, and ends those that take too long.

import type { PassResult } from "../lifecycle/loop.ts";
import { createAssetRuns } from "../store/asset-runs.ts";
import { advanceBackfills } from "../store/backfill-advance.ts";
import { createDueRuns } from "../store/due-runs.ts";
import { endOverdueRuns } from "../store/overdue-runs.ts";
import { startQueuedRuns } from "../store/run-start.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 50;

export async function createAndStartRuns({ db, rules, clock }: SchedulerContext): Promise<PassResult> {
  const now = clock.now();
  const due = await createDueRuns(db, now, BATCH);
  const assets = await createAssetRuns(db, now, BATCH);
  const backfills = await advanceBackfills(db, rules.versions, now, BATCH);
  const queued = await startQueuedRuns(db, rules.versions, now, BATCH);
  const overdue = await endOverdueRuns(db, rules, now, BATCH);
  const dates = [due.next_due, queued.next_due, overdue.next_due];
  const waits = dates.flatMap((date) => untilMs(date, now) ?? []);
  return {
    counts: {
      created: due.created,
      triggered: assets.created,
      backfilled: backfills.created,
      started: queued.started,
      overdue: overdue.ended,
    },
    more: due.more || assets.more || backfills.more || queued.started === BATCH || overdue.ended === BATCH,
    dueInMs: waits.length > 0 ? Math.min(...waits) : null,
  };
}
