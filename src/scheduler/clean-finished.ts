// Removes what ended attempts left behind: their pods, or processes that have not gone by themselves. Pods that are to be
// kept are let go instead: they drop out of the watch, and nothing looks at them again before their time is over.

import { chargeOf } from "../core/outcome.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import { claimRemains, markCleaned, offerRemainsAgain, type Remains } from "../store/attempt-clean.ts";
import { type KeptPod, noteKeptPods } from "../store/kept-pods.ts";
import type { SchedulerContext } from "./activity.ts";
import { keepEvents } from "./look-at-events.ts";
import { keepLog } from "./keep-log.ts";

const BATCH = 64;
// An attempt whose removal was asked for, or failed, is looked at again after this.
const CLAIM_LEASE_MS = 30_000;
const LOG_RETRY_MS = 5_000;
const RUNNING_RETRY_MS = 1_000;
/** A pod that has not ended by then is removed: it would hold its node's place for as long as it is kept. */
const LONGEST_END_MS = 60_000;

/** later: to be offered again after that many milliseconds. */
type Cleaned = { kind: "gone" | "going" } | { kind: "later"; ms: number };

export async function cleanFinished(context: SchedulerContext): Promise<PassResult> {
  const { db, executor, clock, holder, log } = context;
  const claim = { executor: executor.name, holder, limit: BATCH, leaseMs: CLAIM_LEASE_MS };
  const remains = await claimRemains(db, claim, clock.now());
  const keeping = new Map((await Promise.all(remains.map((each) => findKept(context, each)))).flat());
  const timed = [...keeping.values()].filter((pod): pod is KeptPod => pod !== null);
  await noteKeptPods(db, executor.name, timed);
  const cleaned = await Promise.all(
    remains.map(async (handle): Promise<Cleaned> => {
      try {
        return await clean(context, handle, keeping.has(handle.attempt_id));
      } catch (error) {
        log.warn(
          { err: error, attempt_id: handle.attempt_id, pod: handle.pod_name },
          "cannot remove or keep a pod; will repeat",
        );
        return { kind: "going" };
      }
    }),
  );
  const thoseOf = (kind: Cleaned["kind"], ms = 0) =>
    remains.filter((_, index) => {
      const end = cleaned[index];
      return end?.kind === kind && (end.kind !== "later" || end.ms === ms);
    });
  const delays = [...new Set(cleaned.flatMap((end) => (end.kind === "later" ? [end.ms] : [])))];
  for (const ms of delays) {
    const ids = thoseOf("later", ms).map(({ attempt_id }) => attempt_id);
    await offerRemainsAgain(db, ids, new Date(clock.now().getTime() + ms));
  }
  const gone = thoseOf("gone");
  await markCleaned(db, gone, clock.now());
  return {
    counts: { asked: remains.length, gone: gone.length },
    more: remains.length === BATCH,
    dueInMs: delays.length > 0 ? Math.min(...delays) : null,
  };
}

async function clean(context: SchedulerContext, remains: Remains, keep: boolean): Promise<Cleaned> {
  const { executor, clock } = context;
  if (!(await keepLog(context, remains))) return { kind: "later", ms: LOG_RETRY_MS };
  // Events outlive a pod by an hour at most, and are about it: the reason of such an end may be among them.
  if (chargeOf(remains.outcome) === "infrastructure" || wasKilled(remains)) await keepEvents(context, remains);
  if (keep && executor.keep) {
    const kept = await executor.keep(remains);
    if (kept !== "running") return { kind: "gone" };
    if (clock.now().getTime() - remains.finished_at.getTime() < LONGEST_END_MS) {
      return { kind: "later", ms: RUNNING_RETRY_MS };
    }
  }
  return { kind: await executor.remove(remains) };
}

/** By a signal, which may be that of a failed probe. */
function wasKilled({ exit_code: code }: Remains): boolean {
  return code !== null && code > 128 && code < 192;
}

/** The attempt whose pod is to be kept, with its end or null; nothing for the others. */
async function findKept(
  { db, rules, executor }: SchedulerContext,
  remains: Remains,
): Promise<[string, KeptPod | null][]> {
  if (!executor.keep) return [];
  const { graph } = await rules.versions.loadVersion(db, remains.version_id);
  const policy = graph.tasks.get(remains.task_id)?.pods;
  if (policy === undefined || (policy.keep === "failed" && chargeOf(remains.outcome) === "none")) return [];
  const { attempt_id, epoch, namespace, pod_name, pod_uid, finished_at } = remains;
  const handle = { attempt_id, epoch, namespace, pod_name, pod_uid };
  const end = policy.for === null ? null : new Date(finished_at.getTime() + policy.for * 1000);
  return [[attempt_id, end === null ? null : { ...handle, remove_at: end }]];
}
