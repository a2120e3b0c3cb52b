// The way of one attempt as events, in the order of happening; what was not reached, or not observed, is left out.

import type { AttemptSituation } from "./situation.ts";

/**
 * queued: the attempt's row; launched: its pod or process was made; scheduled: a node has the pod; pulled: the node has the
 * image; started: the container runs; running: its worker has reported; finished: its outcome was written.
 */
export const TIMELINE_EVENTS = ["queued", "launched", "scheduled", "pulled", "started", "running", "finished"] as const;
export type TimelineEvent = (typeof TIMELINE_EVENTS)[number];

const COLUMNS = {
  queued: "queued_at",
  launched: "launched_at",
  scheduled: "pod_scheduled_at",
  pulled: "image_pulled_at",
  started: "container_started_at",
  running: "started_at",
  finished: "finished_at",
} as const satisfies Record<TimelineEvent, keyof AttemptSituation>;

export function traceAttempt(attempt: AttemptSituation): { event: TimelineEvent; at: Date }[] {
  return TIMELINE_EVENTS.flatMap((event) => {
    const at = attempt[COLUMNS[event]];
    return at === null ? [] : [{ event, at }];
  });
}
