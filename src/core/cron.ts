// The instants of a cron expression in a time zone. croner matches wall clock times, for which no zone is needed; what a
// change of the clocks makes of them is decided here:
//   gap      a time that does not exist fires at the first instant after the gap
//   overlap  a fixed hour fires once, the first time
//   an hour field of `*` fires at every real interval: in both passes of an overlap, and not for times inside a gap

import { Cron } from "croner";

/** The first fire time strictly after a given one; null when there is none. */
export type NextTime = (after: Date) => Date | null;

/** Errors: those of croner, for a malformed expression. */
export function compileCron(expression: string, timezone: string): NextTime {
  const cron = new Cron(expression, { timezone: "UTC", paused: true, mode: "5-or-6-parts" });
  /** Both as milliseconds that a clock in UTC would show for the wall time. */
  const nextWall = (wall: number) => cron.nextRun(new Date(wall))?.getTime() ?? null;
  if (timezone === "UTC") return (after) => cron.nextRun(after);
  const next = firesEveryHour(expression) ? nextReal(nextWall, timezone) : nextFixed(nextWall, timezone);
  return (after) => {
    const found = next(after.getTime());
    return found === null ? null : new Date(found);
  };
}

type NextWall = (wall: number) => number | null;

function nextFixed(nextWall: NextWall, timezone: string): NextWall {
  return (after) => {
    let wall = nextWall(after + offsetOf(zonedTime(after, timezone)));
    for (; wall !== null; wall = nextWall(wall)) {
      const fire = firstInstantOf(wall, timezone);
      // In the second pass of an overlap: it has fired in the first.
      if (fire > after) return fire;
    }
    return null;
  };
}

function nextReal(nextWall: NextWall, timezone: string): NextWall {
  return (after) => {
    let zoned = zonedTime(after, timezone);
    for (let from = after; ;) {
      const offset = offsetOf(zoned);
      const wall = nextWall(from + offset);
      if (wall === null) return null;
      const transition = zoned.getTimeZoneTransition("next");
      if (!transition || wall - offset < transition.epochMilliseconds) return wall - offset;
      // The wall clock jumps, and its time at the jump may be one that fires.
      zoned = transition;
      from = transition.epochMilliseconds - 1;
    }
  };
}

function firstInstantOf(wall: number, timezone: string): number {
  const local = Temporal.Instant.fromEpochMilliseconds(wall).toZonedDateTimeISO("UTC").toPlainDateTime();
  const first = local.toZonedDateTime(timezone, { disambiguation: "earlier" });
  if (first.toPlainDateTime().equals(local)) return first.epochMilliseconds;
  // "later" lies as far behind the gap's end as `local` lies behind its start: at the end at the earliest.
  const later = local.toZonedDateTime(timezone, { disambiguation: "later" });
  const end = later.add({ milliseconds: 1 }).getTimeZoneTransition("previous");
  return (end ?? later).epochMilliseconds;
}

function zonedTime(instant: number, timezone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timezone);
}

function offsetOf(zoned: Temporal.ZonedDateTime): number {
  return zoned.offsetNanoseconds / 1_000_000;
}

const EVERY_HOUR = new Set(["*", "?", "*/1", "0-23", "0-23/1"]);

function firesEveryHour(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  return EVERY_HOUR.has(fields.at(-4) ?? "");
}
