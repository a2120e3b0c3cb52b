// Schedules out of assets: alone, or beside a time, where either creates runs.

import type { AssetCondition } from "../core/definition.ts";
import { type AssetExpression, readCondition } from "./asset.ts";
import { authorError, describeValue } from "./author-error.ts";
import type { ScheduleOption } from "./schedule.ts";

export type AssetSchedule =
  | AssetExpression
  /** Runs at these times, and whenever the assets call for one. */
  | { readonly cron: ScheduleOption; readonly assets: AssetExpression };

export function isAssetsOrTime(schedule: unknown): schedule is { cron: unknown; assets: unknown } {
  return typeof schedule === "object" && schedule !== null && "cron" in schedule && "assets" in schedule;
}

/** The part that is of times, still as the author wrote it, and the part that is of assets. */
export function splitSchedule(schedule: unknown, where: string): { time: unknown; assets: AssetCondition | null } {
  const alone = readCondition(schedule);
  if (alone) return { time: null, assets: alone };
  if (!isAssetsOrTime(schedule)) return { time: schedule, assets: null };
  const assets = readCondition(schedule.assets);
  if (!assets) {
    throw authorError(
      `${where}: schedule.assets is ${describeValue(schedule.assets)}. Use what asset(), anyOf() or allOf() returned.`,
    );
  }
  return { time: schedule.cron, assets };
}
