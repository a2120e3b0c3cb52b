// Reads the events of pods that do not start, for `explain` to quote: one call for each, and again only after a while.
// Nothing depends on the answer.

import { messageOf } from "../core/errors.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import type { AttemptHandle } from "../store/attempt-clean.ts";
import { claimWaiting, savePodEvents } from "../store/pod-events.ts";
import type { SchedulerContext } from "./activity.ts";

const BATCH = 16;
// Most pods have started by then.
const PATIENCE_MS = 10_000;
const AGAIN_MS = 30_000;

export async function lookAtEvents(context: SchedulerContext): Promise<PassResult> {
  const { db, executor, clock } = context;
  if (!executor.readEvents) return { counts: {} };
  const now = clock.now();
  const before = (ms: number) => new Date(now.getTime() - ms);
  const claim = {
    executor: executor.name,
    limit: BATCH,
    launchedBefore: before(PATIENCE_MS),
    askedBefore: before(AGAIN_MS),
  };
  const waiting = await claimWaiting(db, claim, now);
  await Promise.all(waiting.map((handle) => keepEvents(context, handle)));
  return { counts: { asked: waiting.length }, more: waiting.length === BATCH };
}

/** What cannot be read is not kept, whether it may not be read or has expired. */
export async function keepEvents({ db, executor, log }: SchedulerContext, handle: AttemptHandle): Promise<void> {
  try {
    const events = await executor.readEvents?.(handle);
    if (events) await savePodEvents(db, handle.attempt_id, events);
  } catch (error) {
    log.debug({ attempt_id: handle.attempt_id, why: messageOf(error) }, "cannot read a pod's events");
  }
}
