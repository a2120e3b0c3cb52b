// Removes kept pods whose time is over.

import type { PassResult } from "../lifecycle/loop.ts";
import { claimExpiredPods, findNextExpiry, forgetKeptPods } from "../store/kept-pods.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 64;
// A removal that failed is tried again after this.
const AGAIN_MS = 30_000;

export async function removeKept({ db, executor, clock, log }: SchedulerContext): Promise<PassResult> {
  const now = clock.now();
  const again = new Date(now.getTime() + AGAIN_MS);
  const expired = await claimExpiredPods(db, { executor: executor.name, limit: BATCH, again }, now);
  const removed = await Promise.all(
    expired.map(async (handle) => {
      try {
        await executor.remove(handle);
        return [handle.attempt_id];
      } catch (error) {
        log.warn({ err: error, attempt_id: handle.attempt_id, pod: handle.pod_name }, "cannot remove a kept pod");
        return [];
      }
    }),
  );
  await forgetKeptPods(db, removed.flat());
  return {
    counts: { expired: expired.length, removed: removed.flat().length },
    more: expired.length === BATCH,
    dueInMs: untilMs(await findNextExpiry(db, executor.name), now),
  };
}
