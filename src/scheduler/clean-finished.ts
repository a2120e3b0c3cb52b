// Removes what ended attempts left behind: their pods, or processes that have not gone by themselves.

import type { PassResult } from "../lifecycle/loop.ts";
import { claimRemains, markCleaned } from "../store/attempt-clean.ts";
import type { SchedulerContext } from "./activity.ts";

const BATCH = 64;
// An attempt whose removal was asked for, or failed, is looked at again after this.
const CLAIM_LEASE_MS = 30_000;

export async function cleanFinished({ db, executor, clock, holder, log }: SchedulerContext): Promise<PassResult> {
  const claim = { executor: executor.name, holder, limit: BATCH, leaseMs: CLAIM_LEASE_MS };
  const remains = await claimRemains(db, claim, clock.now());
  const removed = await Promise.all(
    remains.map(async (handle) => {
      try {
        return (await executor.remove(handle)) === "gone" ? [handle.attempt_id] : [];
      } catch (error) {
        log.warn(
          { err: error, attempt_id: handle.attempt_id, pod: handle.pod_name },
          "cannot remove a pod; will repeat",
        );
        return [];
      }
    }),
  );
  const gone = removed.flat();
  await markCleaned(db, gone, clock.now());
  return { counts: { asked: remains.length, gone: gone.length }, more: remains.length === BATCH };
}
