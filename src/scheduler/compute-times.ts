// Asks custom timetables for their next times, in a sealed child each, before the times that are known run out.

import { cleanText } from "../core/clean-text.ts";
import { messageOf } from "../core/errors.ts";
import { computeTimes } from "../dags/compute-times.ts";
import { DEFAULT_LIMITS } from "../dags/run-sealed.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { claimStaleTimes, saveComputedTimes, saveTimetableFault, type StaleTimes } from "../store/computed-times.ts";
import type { SchedulerContext } from "./activity.ts";

const BATCH = 10;
const TIMES = 500;
const LEASE_MS = 60_000;
const RETRY_MS = 60_000;

type Context = Pick<SchedulerContext, "db" | "rules" | "clock" | "log">;

export async function computeStaleTimes({ db, rules, clock, log }: Context): Promise<PassResult> {
  const stale = await claimStaleTimes(db, BATCH, LEASE_MS, clock.now());
  for (const asked of stale) {
    try {
      const { code, source_map } = await rules.versions.loadBundle(db, asked.bundle_hash);
      const bundle = { hash: asked.bundle_hash, code, sourceMap: source_map };
      const after = startOf(asked, clock.now());
      const question = { dag_id: asked.dag_id, after, until: Number.MAX_SAFE_INTEGER, count: TIMES };
      const { times, is_complete } = await computeTimes(bundle, question, DEFAULT_LIMITS, clock);
      const now = clock.now();
      await saveComputedTimes(db, asked, { times, refresh_at: is_complete ? null : whenLow(times, now) }, now);
    } catch (error) {
      log.error({ err: error, dag_id: asked.dag_id }, "a timetable gives no times; will ask again");
      await saveTimetableFault(db, asked, cleanText(messageOf(error)), new Date(clock.now().getTime() + RETRY_MS));
    }
  }
  return { counts: { asked: stale.length }, more: stale.length === BATCH };
}

/** From the run that is announced, or as nextDueRun looks for one. */
function startOf({ definition, next_logical_date, last_logical_date }: StaleTimes, now: Date): number {
  if (next_logical_date) return next_logical_date.getTime() - 1;
  const start = definition.start_date === null ? null : Date.parse(definition.start_date) - 1;
  const after = last_logical_date?.getTime() ?? (start !== null && definition.catchup ? start : now.getTime());
  return Math.max(after, start ?? after);
}

/** When half of the times have come; a catchup, which uses them faster, may wait a minute for more. */
function whenLow(times: readonly Date[], now: Date): Date {
  const half = times[Math.floor(times.length / 2)]?.getTime() ?? 0;
  return new Date(Math.max(half, now.getTime() + RETRY_MS));
}
