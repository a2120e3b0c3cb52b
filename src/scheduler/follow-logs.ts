// Keeps what containers without a worker write, while they run. A log that cannot be read is read later; nothing that happens
// here changes an attempt. One that is quiet is asked less and less often.

import type { PassResult } from "../lifecycle/loop.ts";
import { claimLogs, type DueLog, findNextLog, keepLogPiece, readLogLater } from "../store/container-logs.ts";
import { type SchedulerContext, untilMs } from "./activity.ts";

const BATCH = 16;
// A reading that its process did not live to finish is made by another after this.
const CLAIM_LEASE_MS = 60_000;
const SOONEST_MS = 2_000;
const LATEST_MS = 30_000;
/** Kept of one log while it runs; of what follows, the last part is read at its end. */
const MOST_CHARACTERS = 8 * 1_048_576;

export async function followLogs(context: SchedulerContext): Promise<PassResult> {
  const { db, executor, clock, log } = context;
  if (!executor.followLog) return { counts: {} };
  const now = clock.now();
  const due = await claimLogs(
    db,
    { executor: executor.name, limit: BATCH, again: new Date(now.getTime() + CLAIM_LEASE_MS) },
    now,
  );
  await Promise.all(
    due.map(async (each) => {
      try {
        await followOne(context, each);
      } catch (error) {
        const { attempt_id, pod_name: pod } = each;
        log.debug({ err: error, attempt_id, pod }, "cannot read the log of a running container; will repeat");
        await readLogLater(db, attempt_id, later(context, each.quiet + 1));
      }
    }),
  );
  return {
    counts: { read: due.length },
    more: due.length === BATCH,
    dueInMs: untilMs(await findNextLog(db, executor.name), clock.now()),
  };
}

async function followOne(context: SchedulerContext, due: DueLog): Promise<void> {
  const { db, executor, rules, clock } = context;
  const { attempt_id } = due;
  const { graph } = await rules.versions.loadVersion(db, due.version_id);
  const wanted = graph.tasks.get(due.task_id)?.container?.get_logs ?? false;
  // The end is read before the pod is removed: see keep-log.ts.
  if (!wanted || due.finished || due.kept_characters > MOST_CHARACTERS) return readLogLater(db, attempt_id, null);
  const part = await executor.followLog?.(due, due.position, false);
  if (!part) return readLogLater(db, attempt_id, later(context, due.quiet + 1));
  const lines = part.lines.map((line) => ({ ...line, level: "info" }));
  const next = part.more ? clock.now() : later(context, lines.length === 0 ? due.quiet + 1 : 0);
  await keepLogPiece(db, attempt_id, due, { lines, position: part.position }, next);
}

function later({ clock }: SchedulerContext, quiet: number): Date {
  return new Date(clock.now().getTime() + Math.min(LATEST_MS, SOONEST_MS * 2 ** quiet));
}
