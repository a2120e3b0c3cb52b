// Gauges of what waits, read at each scrape. Every scheduler reports the same numbers, those of the database: take the max of
// them, not the sum. While the database does not answer they are absent, and the other metrics are not.

import { Gauge, type Registry } from "prom-client";
import type { Logger } from "../lifecycle/log.ts";
import type { Backlog } from "../store/read-backlog.ts";

export function observeBacklog(registry: Registry, read: () => Promise<Backlog>, log: Logger): void {
  let asked: Promise<Backlog | null> | null = null;
  // The gauges of one scrape are collected at once, and share one answer.
  const ask = () => {
    asked ??= read()
      .catch((error: unknown) => {
        log.warn({ err: error }, "the backlog cannot be read");
        return null;
      })
      .finally(() => (asked = null));
    return asked;
  };
  const gauge = (name: string, help: string, valueOf: (backlog: Backlog) => number) =>
    new Gauge({
      name: `windlass_${name}`,
      help,
      registers: [registry],
      async collect() {
        const backlog = await ask();
        if (backlog) this.set(valueOf(backlog));
        else this.remove();
      },
    });
  gauge("import_errors", "Files of the dags folder that do not load", (backlog) => backlog.import_errors);
  gauge(
    "schedule_delay_seconds",
    "Time since the longest overdue run should have been created",
    (backlog) => backlog.schedule_delay,
  );
  gauge(
    "launch_delay_seconds",
    "Time that the attempt which waits longest has waited for its pod",
    (backlog) => backlog.launch_delay,
  );
  new Gauge({
    name: "windlass_task_instances",
    help: "Task instances that are ready, queued or running, by state",
    labelNames: ["state"],
    registers: [registry],
    async collect() {
      const backlog = await ask();
      this.reset();
      if (!backlog) return;
      for (const state of ["scheduled", "queued", "running"] as const) this.set({ state }, backlog[state]);
    },
  });
}
