// One question to an author's timetable. Runs in the sealed child alone.

import type { DagDefinition } from "../core/definition.ts";
import { authorError } from "../sdk/author-error.ts";
import { type Timetable, toInstant } from "../sdk/schedule.ts";

/** The next time, rounded up to a millisecond; null: there is none any more. Errors: those of the author. */
export function askTimetable(
  timetable: Timetable,
  { dag_id, schedule }: Pick<DagDefinition, "dag_id" | "schedule">,
  after: Temporal.Instant,
): Temporal.Instant | null {
  const timezone = schedule?.kind === "custom" ? schedule.timezone : "UTC";
  const where = `DAG "${dag_id}": the timetable's answer`;
  const answer = toInstant(timetable(after), timezone, where);
  if (answer === null) return null;
  const next = Temporal.Instant.from(answer).round({ smallestUnit: "millisecond", roundingMode: "ceil" });
  if (Temporal.Instant.compare(next, after) > 0) return next;
  throw authorError(
    `${where} to ${after.toString()} is ${answer}, which is not after it. Return a later time, or null.`,
  );
}
