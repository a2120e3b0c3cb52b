// Removes what ended attempts left behind: their pods, or processes that have not gone by themselves.

import type { PassResult } from "../lifecycle/loop.ts";
import { claimRemains, markCleaned, offerRemainsAgain } from "../store/attempt-clean.ts";
import type { SchedulerContext } from "./activity.ts";
import { keepLog } from "./keep-log.ts";

const BATCH = 64;
// An attempt whose removal was asked for, or failed, is looked at again after this.
const CLAIM_LEASE_MS = 30_000;
const LOG_RETRY_MS = 5_000;

export async function cleanFinished(context: SchedulerContext): Promise<PassResult> {
  const { db, executor, clock, holder, log } = context;
  const claim = { executor: executor.name, holder, limit: BATCH, leaseMs: CLAIM_LEASE_MS };
  const remains = await claimRemains(db, claim, clock.now());
  const waiting: string[] = [];
  const removed = await Promise.all(
    remains.map(async (handle) => {
      try {
        if (await keepLog(context, handle))
          return (await executor.remove(handle)) === "gone" ? [handle.attempt_id] : [];
        waiting.push(handle.attempt_id);
        return [];
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
  await offerRemainsAgain(db, waiting, new Date(clock.now().getTime() + LOG_RETRY_MS));
  await markCleaned(db, gone, clock.now());
  return {
    counts: { asked: remains.length, gone: gone.length },
    more: remains.length === BATCH,
    dueInMs: waiting.length > 0 ? LOG_RETRY_MS : null,
  };
}
