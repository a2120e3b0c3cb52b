// Attempts in clusters that no living scheduler has configured: one that was not launched can never be, and ends; of pods that
// are there, the log says every ten minutes that they are left alone. They go on once their cluster is configured again.

import { parseExecutor, sayUnknownCluster } from "../core/executor-name.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { recordLaunches } from "../store/attempt-launch.ts";
import { readExecutors } from "../store/processes.ts";
import { claimStrayLaunches, countStrayPods } from "../store/stray-attempts.ts";
import type { SchedulerContext } from "./activity.ts";

/** One that stands still, or is cut off from Postgres, may be back; one that is stopped signs off and is not waited for. */
const ALIVE_MS = 600_000;
const REMIND_MS = 600_000;
const CLAIM_LEASE_MS = 15_000;

export function createStrayCheck(context: SchedulerContext): () => Promise<PassResult> {
  const { db, rules, clock, log, holder, executor, remotes = [] } = context;
  let remindAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.now();
    const others = await readExecutors(db, new Date(now.getTime() - ALIVE_MS));
    const known = [...new Set([executor.name, ...remotes.map(({ name }) => name), ...others])];
    const strays = await claimStrayLaunches(db, { known, holder, leaseMs: CLAIM_LEASE_MS }, now);
    const ends = strays.map(({ attempt_id, executor: name }) => {
      const reason = sayUnknownCluster(parseExecutor(name).cluster ?? name);
      const outcome = { kind: "launch_refused" as const, reason, exit_code: null, error: null };
      return { attempt_id, kind: "ended" as const, outcome };
    });
    if (ends.length > 0) await recordLaunches(db, rules, holder, ends, now);
    if (clock.monotonic() >= remindAt) {
      for (const { executor: name, pods } of await countStrayPods(db, known)) {
        const { cluster } = parseExecutor(name);
        log.error({ cluster, pods }, `${sayUnknownCluster(cluster ?? name)}; until then its pods are left alone`);
      }
      remindAt = clock.monotonic() + REMIND_MS;
    }
    return { counts: { refused: ends.length } };
  };
}
