// The times that a run in memory keeps as a whole: its deadline and its timeout.

import { deadlineAt, sayMissed } from "../core/callback.ts";
import type { DagDefinition } from "../core/definition.ts";
import type { Clock } from "../lifecycle/clock.ts";

export interface RunTimes {
  onMissed: (reason: string) => void;
  onTimeout: (seconds: number) => void;
}

/** From the run's start on; what it returns is called at the run's end. */
export function keepTimes(
  { deadline, run_timeout }: Pick<DagDefinition, "deadline" | "run_timeout">,
  clock: Clock,
  { onMissed, onTimeout }: RunTimes,
): () => void {
  const began = clock.now();
  const over = new AbortController();
  const wait = async (until: Date, act: () => void) => {
    await clock.sleep(until.getTime() - began.getTime(), over.signal);
    if (!over.signal.aborted) act();
  };
  const due = deadlineAt(deadline, { queued: began, started: began, logical_date: began });
  let missed = false;
  const miss = () => {
    if (!missed && deadline) onMissed(sayMissed(deadline));
    missed = true;
  };
  if (due !== null) void wait(due, miss);
  if (run_timeout !== undefined) {
    void wait(new Date(began.getTime() + run_timeout * 1000), () => onTimeout(run_timeout));
  }
  return () => {
    over.abort();
    if (due !== null && due <= clock.now()) miss();
  };
}
