// What a scheduler tells Prometheus of the launches that it made.

import { Counter, Histogram, type Registry } from "prom-client";
import type { LaunchReport } from "../scheduler/activity.ts";

const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800];

export function observeLaunches(registry: Registry): (report: LaunchReport) => void {
  const launches = new Counter({
    name: "windlass_launches_total",
    help: "Launches of attempts, by what they came to; one that was put off is launched again",
    labelNames: ["cluster", "outcome"],
    registers: [registry],
  });
  const slotWait = new Histogram({
    name: "windlass_queue_wait_seconds",
    help: "From the moment that a task instance could run until it had a slot",
    buckets: BUCKETS,
    registers: [registry],
  });
  const launchDelay = new Histogram({
    name: "windlass_launch_duration_seconds",
    help: "From an attempt's queueing until its pod or process was made",
    labelNames: ["cluster"],
    buckets: BUCKETS,
    registers: [registry],
  });
  return ({ cluster, outcome, slot_wait, launch_delay }) => {
    const own = { cluster: cluster ?? "" };
    launches.inc({ ...own, outcome });
    if (outcome !== "launched") return;
    if (slot_wait !== null) slotWait.observe(slot_wait);
    launchDelay.observe(own, launch_delay);
  };
}
