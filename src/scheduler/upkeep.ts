// The upkeep of history on a schedule of its own, by whichever scheduler gets the lease.

import { schedule, type ScheduledTask } from "node-cron";
import type { Service } from "../lifecycle/service.ts";
import { acquireLease, releaseLease } from "../store/leases.ts";
import { deleteOldHistory } from "../store/retention.ts";
import type { SchedulerContext } from "./activity.ts";

const LEASE = "upkeep";
// A scheduler that dies at it holds the others up for this long.
const LEASE_MS = 600_000;
const DAY_MS = 86_400_000;

export interface UpkeepOptions extends Pick<SchedulerContext, "db" | "clock" | "log" | "holder"> {
  /** A cron expression, in UTC. */
  expression: string;
  /** Days that ended runs are kept; 0: for ever. */
  retentionDays: number;
}

export function createUpkeep({ db, clock, log, holder, expression, retentionDays }: UpkeepOptions): Service {
  const stopping = new AbortController();
  let task: ScheduledTask | null = null;
  let running: Promise<void> = Promise.resolve();

  const runOnce = async (): Promise<void> => {
    try {
      const lease = await acquireLease(db, LEASE, holder, LEASE_MS);
      if (!lease) return;
      const before = new Date(clock.now().getTime() - retentionDays * DAY_MS);
      const counts = await deleteOldHistory(db, before, stopping.signal);
      log.info({ ...counts, before }, "old history deleted");
      await releaseLease(db, lease);
    } catch (error) {
      // Tomorrow's pass makes up for it.
      log.error({ err: error }, "upkeep failed");
    }
  };
  return {
    name: "upkeep",
    start: async () => {
      if (retentionDays === 0) return;
      task = schedule(
        expression,
        () => {
          running = runOnce();
        },
        { timezone: "UTC" },
      );
    },
    stop: async () => {
      stopping.abort();
      await task?.destroy();
      await running;
    },
  };
}
