// Whether the installation works, by the heartbeats of its processes.

import type { HealthAnswer } from "../contract/rest-installation.ts";
import { isoOf } from "./present-date.ts";

/** As in Airflow: a heartbeat of any scheduler within this time. */
export const HEALTHY_MS = 30_000;

export function isAlive(heartbeat: Date | null, now: Date): boolean {
  return heartbeat !== null && now.getTime() - heartbeat.getTime() < HEALTHY_MS;
}

/** @param heartbeats null: the database does not answer */
export function judgeHealth(heartbeats: ReadonlyMap<string, Date> | null, now: Date): HealthAnswer {
  const newest = heartbeats?.get("scheduler") ?? null;
  const status = isAlive(newest, now) ? "healthy" : "unhealthy";
  return {
    metadatabase: { status: heartbeats ? "healthy" : "unhealthy" },
    scheduler: { status, latest_scheduler_heartbeat: isoOf(newest) },
    triggerer: { status: null, latest_triggerer_heartbeat: null },
    // The dags folder is watched by the scheduler's process.
    dag_processor: { status, latest_dag_processor_heartbeat: isoOf(newest) },
  };
}
