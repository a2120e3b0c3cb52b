// Gauges of the pools' slots, read at each scrape. As with the backlog, every scheduler reports the same numbers: take the
// max of them, not the sum.

import { Gauge, type Registry } from "prom-client";
import { countSlots } from "../core/pool-slots.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { PoolRow } from "../store/pools.ts";

export function observePools(registry: Registry, read: () => Promise<PoolRow[]>, log: Logger): void {
  let asked: Promise<PoolRow[]> | null = null;
  // The gauges of one scrape are collected at once, and share one answer.
  const ask = () => {
    asked ??= read()
      .catch((error: unknown) => {
        log.warn({ err: error }, "the pools cannot be read");
        return [];
      })
      .finally(() => (asked = null));
    return asked;
  };
  const gauge = (name: string, help: string, valueOf: (pool: PoolRow) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["pool"],
      registers: [registry],
      async collect() {
        const pools = await ask();
        this.reset();
        for (const pool of pools) this.set({ pool: pool.name }, valueOf(pool));
      },
    });
  gauge("windlass_pool_open_slots", "Free slots of a pool; -1: it has no limit", (pool) => countSlots(pool).open);
  gauge("windlass_pool_queued_slots", "Slots of queued task instances", (pool) => pool.queued);
  gauge("windlass_pool_running_slots", "Slots of running task instances", (pool) => pool.running);
  gauge("windlass_pool_scheduled_slots", "Slots that task instances wait for", (pool) => pool.scheduled);
  gauge("windlass_pool_deferred_slots", "Slots of deferred task instances", (pool) => pool.deferred);
}
