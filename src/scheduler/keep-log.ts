// Keeps what the containers of ended attempts wrote, before their pods are removed: such pods have no worker that would have
// delivered it. Most of it is there already (follow-logs.ts); this is the rest, and the reason of the end. A log that cannot
// be read holds its pod back for a while, and changes nothing else.

import { messageOf } from "../core/errors.ts";
import { parseLogTime } from "../core/log-position.ts";
import { chargeOf } from "../core/outcome.ts";
import type { Executor } from "../executors/executor.ts";
import type { Remains } from "../store/attempt-clean.ts";
import { type FollowedLog, keepLogEnd, readFollowedLog } from "../store/container-logs.ts";
import type { NewLogLine } from "../store/logs.ts";
import type { SchedulerContext } from "./activity.ts";

type LogLine = Omit<NewLogLine, "seq">;

/** From the attempt's end; then its pod goes without. */
const GIVE_UP_MS = 30_000;

/** Whether the pod may be removed now; if not, its log is to be asked for again. */
export async function keepLog(context: SchedulerContext, remains: Remains): Promise<boolean> {
  const { db, executor, rules, clock, log } = context;
  const { graph } = await rules.versions.loadVersion(db, remains.version_id);
  if (remains.has_log || !executor.readLog || !graph.tasks.get(remains.task_id)?.container?.get_logs) return true;
  const { attempt_id } = remains;
  const followed = await readFollowedLog(db, attempt_id);
  let lines: LogLine[];
  try {
    lines = await readRest(executor, remains, followed);
  } catch (error) {
    log.warn({ err: error, attempt_id, pod: remains.pod_name }, "cannot read a container's log");
    const now = clock.now();
    if (now.getTime() - remains.finished_at.getTime() < GIVE_UP_MS) return false;
    const what = followed && followed.next_seq > 0 ? "The rest of the container's log" : "The container's log";
    const event = `${what} is lost: for ${GIVE_UP_MS / 1000} s it could not be read (${messageOf(error)})`;
    lines = [{ timestamp: now.toISOString(), level: "warning", event }];
  }
  await keepLogEnd(db, attempt_id, followed?.next_seq ?? 0, [...lines, endOf(remains)]);
  return true;
}

async function readRest(executor: Executor, remains: Remains, followed: FollowedLog | null): Promise<LogLine[]> {
  if (followed && executor.followLog) {
    const rest = await executor.followLog(remains, followed.position, true);
    if (!rest?.more) return (rest?.lines ?? []).map(asInfo);
  }
  const last = await executor.readLog?.(remains);
  const known = followed?.position.latest ?? -1n;
  const tail = last?.lines ?? [];
  const lines = tail.filter((line) => (parseLogTime(line.timestamp) ?? known) > known).map(asInfo);
  const [first] = lines;
  // A tail with a known line in it goes on where that one stands.
  if (!last?.shortened || !first || lines.length < tail.length) return lines;
  const event = "The log was too long to keep all of it: this is its last part";
  return [{ timestamp: first.timestamp, level: "warning", event }, ...lines];
}

function asInfo(line: { timestamp: string; event: string }): LogLine {
  return { ...line, level: "info" };
}

/** A container that never ran has no other line. */
function endOf({ finished_at, outcome, outcome_reason }: Remains): LogLine {
  const level = chargeOf(outcome) === "none" ? "info" : "error";
  return { timestamp: finished_at.toISOString(), level, event: outcome_reason };
}
