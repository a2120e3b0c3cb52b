// How far a container's log has been read. A log is asked for by whole seconds, so lines come again, and it may have been
// rotated in between, so lines may be missing: what is new is told by the place of a line in the answer and by its time.

export interface LogPosition {
  /** Unix seconds from which on the log is asked for; null: from its beginning. */
  since: number | null;
  /** Lines from there on that have been taken. */
  taken: number;
  /** The latest time of a line that was taken, in nanoseconds. */
  latest: bigint;
}

export const LOG_BEGINNING: LogPosition = { since: null, taken: 0, latest: -1n };

const SECOND = 1_000_000_000n;

export interface LogReading {
  /** Whether the line is new. Lines are to be given in the order of the answer. */
  take(time: bigint): boolean;
  /** Where to go on. */
  position(): LogPosition;
}

export function beginReading(from: LogPosition): LogReading {
  let index = 0;
  let hasNew = false;
  let latest = from.latest;
  // Times of the last second or two: of those, the next answer is counted from.
  let recent: bigint[] = [];
  const floor = () => latest / SECOND - 1n;
  return {
    take: (time) => {
      // A log that was rotated begins anew: its lines stand where others stood, and are later than all of them.
      const isNew = index >= from.taken || time > from.latest;
      index += 1;
      hasNew ||= isNew;
      if (time > latest) latest = time;
      recent.push(time);
      if (recent.length % 1_024 === 0) recent = recent.filter((each) => each >= floor() * SECOND);
      return isNew;
    },
    position: () => {
      // An answer may end before all that is known has come again.
      if (!hasNew) return from;
      // A second back, because two streams of one container may be out of order by a little.
      const since = floor();
      return { since: Number(since), taken: recent.filter((each) => each >= since * SECOND).length, latest };
    },
  };
}

const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** Nanoseconds since 1970; null: no time. */
export function parseLogTime(text: string): bigint | null {
  const match = TIME.exec(text);
  if (!match) return null;
  const [, seconds = "", fraction = "", zone = ""] = match;
  const ms = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(ms) ? null : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
