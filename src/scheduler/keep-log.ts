// Keeps what the containers of ended attempts wrote, before their pods are removed: such pods have no worker that would have
// delivered it. A log that cannot be read holds its pod back for a while, and changes nothing else.

import { messageOf } from "../core/errors.ts";
import { chargeOf } from "../core/outcome.ts";
import type { ContainerLog } from "../executors/executor.ts";
import type { Remains } from "../store/attempt-clean.ts";
import { keepContainerLog, type NewLogLine } from "../store/logs.ts";
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
  let lines: LogLine[];
  try {
    lines = linesOf(await executor.readLog(remains));
  } catch (error) {
    log.warn({ err: error, attempt_id, pod: remains.pod_name }, "cannot read a container's log");
    const now = clock.now();
    if (now.getTime() - remains.finished_at.getTime() < GIVE_UP_MS) return false;
    const event = `The container's log is lost: for ${GIVE_UP_MS / 1000} s it could not be read (${messageOf(error)})`;
    lines = [{ timestamp: now.toISOString(), level: "warning", event }];
  }
  await keepContainerLog(db, attempt_id, [...lines, endOf(remains)]);
  return true;
}

function linesOf(read: ContainerLog | null): LogLine[] {
  const lines = (read?.lines ?? []).map((line) => ({ ...line, level: "info" }));
  const [first] = lines;
  if (!read?.shortened || !first) return lines;
  const event = "The log was too long to keep all of it: this is its last part";
  return [{ timestamp: first.timestamp, level: "warning", event }, ...lines];
}

/** A container that never ran has no other line. */
function endOf({ finished_at, outcome, outcome_reason }: Remains): LogLine {
  const level = chargeOf(outcome) === "none" ? "info" : "error";
  return { timestamp: finished_at.toISOString(), level, event: outcome_reason };
}
