// Advances every run that has finished instances to count, or cleared ones to judge again. A run in which that fails is left
// aside for a while, says so in its reason, and holds nobody up.

import { type BackoffPolicy, backoffDelay } from "../lifecycle/backoff.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { restartCleared } from "../store/restart-cleared.ts";
import { advanceNextRun, endDeadlockedRun } from "../store/run-advance.ts";
import { isRunFault, recordRunFault, type RunFault } from "../store/run-fault.ts";
import type { SchedulerContext } from "./activity.ts";

const BATCH = 100;
const FAULT_BACKOFF: BackoffPolicy = { initialMs: 1_000, maxMs: 60_000, factor: 2 };

export function createRunAdvance(context: SchedulerContext): (signal: AbortSignal) => Promise<PassResult> {
  const { db, rules, clock } = context;
  const { leaveAside, listAside } = createAside(context);
  // Runs take turns, so that one in which something ends all the time does not keep those after it waiting.
  let last = 0;

  const advance = async (signal: AbortSignal): Promise<PassResult> => {
    const counts = { runs: 0, counted: 0, scheduled: 0, ended: 0, restarted: 0, faults: 0 };
    for (let passes = 0; passes < BATCH && !signal.aborted; passes += 1) {
      try {
        const aside = listAside();
        const restarted = await restartCleared(db, rules.versions, clock.now(), aside);
        counts.restarted += restarted ?? 0;
        const advanced = await advanceNextRun(db, rules.versions, clock.now(), { last, aside });
        if (!advanced && restarted === null) {
          // Only when nothing is left to do: it looks at every running run.
          while (passes === 0 && !signal.aborted && (await endDeadlockedRun(db, rules.versions, clock.now(), aside)))
            counts.runs += 1;
          return { counts };
        }
        if (!advanced) continue;
        last = advanced.run_id;
        counts.runs += 1;
        counts.counted += advanced.counted;
        counts.scheduled += advanced.scheduled;
        counts.ended += advanced.ended;
      } catch (error) {
        if (!isRunFault(error)) throw error;
        await leaveAside(error);
        counts.faults += 1;
      }
    }
    return { counts, more: true };
  };
  return advance;
}

function createAside({ db, clock, log }: SchedulerContext) {
  const faults = new Map<number, { failures: number; until: number }>();
  return {
    /** Runs that are not to be tried now. */
    listAside: () => [...faults].flatMap(([id, { until }]) => (until > clock.monotonic() ? [id] : [])),
    leaveAside: async (fault: RunFault): Promise<void> => {
      const { run_id } = fault;
      const failures = (faults.get(run_id)?.failures ?? 0) + 1;
      const ms = backoffDelay(FAULT_BACKOFF, failures);
      faults.set(run_id, { failures, until: clock.monotonic() + ms });
      log.error({ err: fault, run_id, failures, again_in_ms: Math.round(ms) }, "a run cannot go on; others do");
      await recordRunFault(db, fault);
    },
  };
}
