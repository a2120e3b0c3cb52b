// Which DAGs get a run because of their assets. Pure: what each has not consumed yet → who gets one. A run takes all that its
// DAG has pending, so that many events of a producer make one run, and none is taken twice.

import { holds } from "./asset-condition.ts";
import type { AssetCondition } from "./definition.ts";

export interface AssetConsumer {
  dag_id: string;
  condition: AssetCondition;
  /** Names of the assets with an event that the DAG has not consumed. */
  pending: readonly string[];
}

export function planAssetRuns<Consumer extends AssetConsumer>(consumers: readonly Consumer[]): Consumer[] {
  return consumers.filter(({ condition, pending }) => holds(condition, new Set(pending)));
}
