// What a process tells Prometheus. Names carry their unit; labels are few and bounded: no run, no pod, no task.

import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export interface Metrics {
  registry: Registry;
  onPass: (loop: string, seconds: number, failed: boolean) => void;
}

export function createMetrics(role: string, version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "windlass_build_info",
    help: "1, with the release and role as labels",
    labelNames: ["version", "role"],
    registers: [registry],
  }).set({ version, role }, 1);
  const passes = new Histogram({
    name: "windlass_scheduler_pass_duration_seconds",
    help: "Duration of one pass of an activity of the scheduler",
    labelNames: ["activity", "result"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [registry],
  });
  return {
    registry,
    onPass: (activity, seconds, failed) => passes.observe({ activity, result: failed ? "error" : "ok" }, seconds),
  };
}
