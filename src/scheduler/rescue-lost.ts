// Ends attempts that have waited or been silent for too long, so that nothing hangs for ever.

import type { PassResult } from "../lifecycle/loop.ts";
import { endOverdueAttempts } from "../store/attempt-overdue.ts";
import type { SchedulerContext } from "./activity.ts";

export async function rescueLost({ db, rules, limits, clock }: SchedulerContext): Promise<PassResult> {
  const { ended } = await endOverdueAttempts(db, rules, limits.overdue, clock.now());
  return { counts: { ended } };
}
