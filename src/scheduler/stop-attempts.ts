// Ends attempts that someone wants to end. A worker hears of it from its pod's or process's SIGTERM, or from its next
// heartbeat, whichever comes first, and has its grace to clean up.

import type { PassResult } from "../lifecycle/loop.ts";
import { claimStops, recordStopped, type Stop } from "../store/attempt-stop.ts";
import type { SchedulerContext } from "./activity.ts";
import { keepLog } from "./keep-log.ts";

const BATCH = 64;
// An attempt that has not ended by then is asked for again.
const CLAIM_LEASE_MS = 30_000;

export async function stopAttempts(context: SchedulerContext): Promise<PassResult> {
  const { db, executor, rules, clock, holder, log } = context;
  const claim = { executor: executor.name, holder, limit: BATCH, leaseMs: CLAIM_LEASE_MS };
  const stops = await claimStops(db, rules, claim, clock.now());
  const ended = await Promise.all(
    stops.map(async (stop) => {
      try {
        await keepContainerLog(context, stop);
        return (await executor.remove(stop)) === "gone" ? [stop] : [];
      } catch (error) {
        log.warn(
          { err: error, attempt_id: stop.attempt_id, pod: stop.pod_name },
          "cannot stop an attempt; will repeat",
        );
        return [];
      }
    }),
  );
  const gone = ended.flat();
  await recordStopped(db, rules, gone, clock.now());
  return { counts: { asked: stops.length, gone: gone.length }, more: stops.length === BATCH };
}

/** What can be read of it now: later its pod may be gone, and waiting for it would hold up the stop. */
async function keepContainerLog(context: SchedulerContext, stop: Stop): Promise<void> {
  await keepLog(context, {
    ...stop,
    finished_at: stop.stop_requested_at,
    outcome: "cancelled",
    outcome_reason: stop.stop_reason,
    exit_code: null,
    has_log: false,
  });
}
