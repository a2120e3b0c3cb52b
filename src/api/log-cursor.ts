// Where a reader of a try's log stands, as an opaque token; and whether anything can still follow.

import { failure } from "../core/errors.ts";
import { chargeOf } from "../core/outcome.ts";
import { isFinishedTaskState } from "../core/states.ts";
import type { LogCursor } from "../store/try-log.ts";
import type { AttemptRow } from "../store/read-attempts.ts";
import type { TaskInstanceRow } from "../store/read-task-instances.ts";

export function encodeCursor(cursor: LogCursor): string {
  return Buffer.from(`${cursor.epoch}.${cursor.seq}`).toString("base64url");
}

/** Errors: invalid_request. */
export function decodeCursor(token: string): LogCursor {
  const match = /^(\d{1,9})\.(-1|\d{1,9})$/.exec(Buffer.from(token, "base64url").toString());
  if (!match)
    throw failure(
      "invalid_request",
      "query.token: is not a continuation_token of this API; leave it out to start over",
    );
  return { epoch: Number(match[1]), seq: Number(match[2]) };
}

/** True when no attempt of this try writes, or will come. */
export function isTryOver(
  instance: Pick<TaskInstanceRow, "state" | "try_number">,
  tryNumber: number,
  last: Pick<AttemptRow, "outcome"> | undefined,
): boolean {
  if (instance.try_number > tryNumber) return true;
  if (last && last.outcome === null) return false;
  if (isFinishedTaskState(instance.state)) return true;
  // After the cluster's fault another attempt of the same try follows.
  return last !== undefined && last.outcome !== null && chargeOf(last.outcome) !== "infrastructure";
}
