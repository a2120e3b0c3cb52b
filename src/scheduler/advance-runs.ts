// Advances every run that has finished instances to count, or cleared ones to judge again.

import type { PassResult } from "../lifecycle/loop.ts";
import { restartCleared } from "../store/restart-cleared.ts";
import { advanceNextRun, endDeadlockedRun } from "../store/run-advance.ts";
import type { SchedulerContext } from "./activity.ts";

const BATCH = 100;

export function createRunAdvance({ db, rules, clock }: SchedulerContext): (signal: AbortSignal) => Promise<PassResult> {
  // Runs take turns, so that one in which something ends all the time does not keep those after it waiting.
  let last = 0;
  return async (signal) => {
    const counts = { runs: 0, counted: 0, scheduled: 0, ended: 0, restarted: 0 };
    for (let passes = 0; passes < BATCH && !signal.aborted; passes += 1) {
      const restarted = await restartCleared(db, rules.versions, clock.now());
      counts.restarted += restarted ?? 0;
      const advanced = await advanceNextRun(db, rules.versions, clock.now(), last);
      if (!advanced && restarted === null) {
        // Only when nothing is left to do: it looks at every running run.
        while (passes === 0 && !signal.aborted && (await endDeadlockedRun(db, rules.versions, clock.now())))
          counts.runs += 1;
        return { counts };
      }
      if (!advanced) continue;
      last = advanced.run_id;
      counts.runs += 1;
      counts.counted += advanced.counted;
      counts.scheduled += advanced.scheduled;
      counts.ended += advanced.ended;
    }
    return { counts, more: true };
  };
}
