// What the soak runs, and what is to become of it whatever happens meanwhile.

import type { RunState, TaskState } from "../../src/core/states.ts";
import type { Random } from "./random.ts";

export interface ExpectedTask {
  state: TaskState;
  /** The user's tries, faults of the cluster not counted. */
  tries: number;
}

export interface ExpectedDag {
  weight: number;
  state: RunState;
  tasks: Readonly<Record<string, ExpectedTask>>;
}

const done: ExpectedTask = { state: "success", tries: 1 };
const parts = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`part_${n + 1}`, done]));

export const DAGS = {
  soak_chain: {
    weight: 4,
    state: "success",
    tasks: { a: done, b: done, c: { state: "success", tries: 2 }, d: done, e: done },
  },
  soak_fan: { weight: 3, state: "success", tasks: { begin: done, end: done, ...parts } },
  soak_long: { weight: 2, state: "success", tasks: { left: done, right: done, join: done } },
  soak_containers: {
    weight: 2,
    state: "success",
    tasks: { passes: done, skips: { state: "skipped", tries: 1 }, exits: { state: "failed", tries: 2 }, done },
  },
  soak_doomed: {
    weight: 1,
    state: "failed",
    tasks: {
      hopeless: { state: "failed", tries: 2 },
      never: { state: "upstream_failed", tries: 0 },
      slow: { state: "failed", tries: 1 },
    },
  },
} as const satisfies Record<string, ExpectedDag>;

export type DagId = keyof typeof DAGS;

export interface PlannedRun {
  dag_id: DagId;
  run_id: string;
  conf: Record<string, string | number>;
  attempts: number;
}

/** Runs that make `attempts` attempts together, if the cluster fails none. */
export function planRuns(random: Random, attempts: number, url: string, longMs: number): PlannedRun[] {
  const weights = Object.fromEntries(Object.entries(DAGS).map(([id, { weight }]) => [id, weight])) as Record<
    DagId,
    number
  >;
  const runs: PlannedRun[] = [];
  for (let planned = 0; planned < attempts;) {
    const dag_id = random.weigh(weights);
    const conf = {
      url,
      ms: random.between(0, 800),
      ...(dag_id === "soak_long" ? { long_ms: random.between(longMs / 4, longMs) } : {}),
    };
    const tries = Object.values<ExpectedTask>(DAGS[dag_id].tasks).reduce((sum, task) => sum + task.tries, 0);
    runs.push({ dag_id, run_id: `soak_${runs.length + 1}`, conf, attempts: tries });
    planned += tries;
  }
  return runs;
}
