// Gives the installation its work, a few runs at a time, and waits until nothing of it is left.

import type { RestClient } from "../../src/cli/rest-client.ts";
import { dagRunAnswer } from "../../src/contract/rest-dag-runs.ts";
import { isFailure } from "../../src/core/errors.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import type { Violation } from "./checks.ts";
import { listPods } from "./follow-pods.ts";
import type { Rig } from "./rig.ts";
import { readProgress } from "./state.ts";
import type { PlannedRun } from "./workload.ts";

const MOST_OPEN_RUNS = 16;
/** How many times longer than planned a busy machine may take to begin all runs. */
const PATIENCE = 3;
const DRAIN_MS = 240_000;
const RETRY_MS = 500;

/** Spread over `busyMs`. false: it took too long. */
export async function beginRuns(
  { rest, database }: Rig,
  plan: readonly PlannedRun[],
  busyMs: number,
): Promise<boolean> {
  const began = systemClock.monotonic();
  const passed = () => systemClock.monotonic() - began;
  for (const [index, run] of plan.entries()) {
    await systemClock.sleep((index / plan.length) * busyMs - passed());
    for (;;) {
      const open = await readProgress(database.url()).then(
        ({ open_runs }) => open_runs,
        () => Infinity,
      );
      if (open < MOST_OPEN_RUNS && (await triggerOnce(rest, run))) break;
      if (passed() > busyMs * PATIENCE) return false;
      await systemClock.sleep(RETRY_MS);
    }
  }
  await systemClock.sleep(busyMs - passed());
  return true;
}

/** true: the run is there; a repeat finds it there already. */
export async function triggerOnce(rest: RestClient, { dag_id, run_id, conf }: PlannedRun): Promise<boolean> {
  try {
    await rest.post(`/api/v2/dags/${dag_id}/dagRuns`, { dag_run_id: run_id, conf }, dagRunAnswer);
    return true;
  } catch (error) {
    if (isFailure(error, "already_exists")) return true;
    if (isFailure(error, "unavailable") || isFailure(error, "internal")) return false;
    // The connection broke in the middle of an answer.
    if (error instanceof TypeError || error instanceof DOMException) return false;
    throw error;
  }
}

/** Until every run has ended and nothing is left of any attempt, in the database and in the cluster. */
export async function drain({ installation, plane, database, kubelet }: Rig): Promise<Violation[]> {
  const until = systemClock.monotonic() + DRAIN_MS;
  try {
    await pollUntil(
      () => readProgress(database.url()),
      ({ open_runs, remains }) => open_runs === 0 && remains === 0,
      ({ open_runs, remains }) => `${open_runs} runs are open, ${remains} attempts not cleaned up`,
      DRAIN_MS,
    );
  } catch (error) {
    return [{ rule: "lost", subject: "soak", detail: String(error) }];
  }
  for (;;) {
    const { items } = await listPods(plane.http, installation.namespace);
    const processes = kubelet.processes();
    if (items.length === 0 && processes === 0) return [];
    if (systemClock.monotonic() > until) {
      const left = items.map(({ metadata: { name }, status }) => `pod ${name} (${status.phase})`);
      return [{ rule: "leftover", subject: "cluster", detail: `${left.join(", ")}; ${processes} processes` }];
    }
    await systemClock.sleep(RETRY_MS);
  }
}
