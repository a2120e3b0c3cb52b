// What every activity of the scheduler works with. An activity is a function that does one pass and returns counts; the loop
// around it is lifecycle/loop.ts. Any number of schedulers may run the same activities: rows are shared by locks in Postgres.

import type { Executor } from "../executors/executor.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { OutcomeRules } from "../store/attempt-outcome.ts";
import type { Database } from "../store/database.ts";
import type { Sealer } from "../store/sealing.ts";
import type { CheckParams } from "../store/wait-targets.ts";
import type { OverdueLimits } from "../core/overdue.ts";
import type { Parallelism } from "../core/plan-queue.ts";

/** What one launch has come to; times in seconds. */
export interface LaunchReport {
  /** Null: the installation's own. */
  cluster: string | null;
  outcome: "launched" | "put_off" | "launch_failed" | "launch_refused";
  /** From ready to run until queued; null: not known. */
  slot_wait: number | null;
  /** From queued until now. */
  launch_delay: number;
}

export interface SchedulerContext {
  db: Database;
  /** The installation's own. */
  executor: Executor;
  /** Of the other clusters. */
  remotes?: readonly Executor[];
  rules: OutcomeRules;
  /** Of what sensors and callbacks are given. */
  sealer: Sealer;
  clock: Clock;
  log: Logger;
  /** Names this process in claims and leases. */
  holder: string;
  newId: () => string;
  issueLaunchToken: (attempt: { attempt_id: string; epoch: number }) => Promise<string>;
  issueResultToken: (attempt: { attempt_id: string; epoch: number }) => Promise<string>;
  /** Of runs that tasks trigger. Errors: invalid_params. */
  checkParams: CheckParams;
  limits: Parallelism & {
    /** Seconds that the launch of one attempt may be repeated for. */
    launch: number;
    overdue: OverdueLimits;
  };
  onLaunch?: (report: LaunchReport) => void;
}

/** Milliseconds until `due`, or null. */
export function untilMs(due: Date | null, now: Date): number | null {
  return due === null ? null : due.getTime() - now.getTime();
}
