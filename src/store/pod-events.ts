// The events of pods that wait: asked for now and then, kept with the attempt.

import { cleanText } from "../core/clean-text.ts";
import type { AttemptHandle } from "./attempt-clean.ts";
import type { Queryable } from "./database.ts";

export interface PodEvent {
  at: string;
  text: string;
}

/** Launched attempts that have waited since `launchedBefore` and were not asked about since `askedBefore`. */
export async function claimWaiting(
  db: Queryable,
  claim: { executor: string; limit: number; launchedBefore: Date; askedBefore: Date },
  now: Date,
): Promise<AttemptHandle[]> {
  const { rows } = await db.query<AttemptHandle>({
    name: "claim_waiting",
    // Over attempt_open, which holds what is launched and not ended.
    text: `
      update attempt set events_asked_at = $5
      where id in (
        select id from attempt
        where executor = $1 and state = 'launched' and pod_uid is not null and launched_at <= $2
          and (events_asked_at is null or events_asked_at <= $3)
        order by launched_at limit $4 for update skip locked)
      returning id as attempt_id, epoch, namespace, pod_name, pod_uid`,
    values: [claim.executor, claim.launchedBefore, claim.askedBefore, claim.limit, now],
  });
  return rows;
}

export async function savePodEvents(
  db: Queryable,
  attemptId: string,
  seen: { last: PodEvent | null; image_pulled_at: string | null },
): Promise<void> {
  await db.query({
    name: "save_pod_events",
    text: `update attempt set last_event = coalesce($2, last_event), last_event_at = coalesce($3, last_event_at),
      image_pulled_at = coalesce(image_pulled_at, $4) where id = $1`,
    values: [
      attemptId,
      seen.last === null ? null : cleanText(seen.last.text),
      seen.last?.at ?? null,
      seen.image_pulled_at,
    ],
  });
}
