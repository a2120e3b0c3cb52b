// How far another machine's clock is from ours, told by one question and its answer.

export interface ClockReading {
  /** What the other clock said. */
  other: Date;
  /** How coarse that is: an HTTP Date has whole seconds, cut off. */
  precisionMs: number;
  /** Ours, before the question and after the answer. */
  before: Date;
  after: Date;
}

/** Seconds that the other clock is ahead (negative: behind), no more than the reading proves. */
export function measureDifference({ other, precisionMs, before, after }: ClockReading): number {
  const least = other.getTime() - after.getTime();
  const most = other.getTime() + precisionMs - before.getTime();
  if (least > 0) return least / 1000;
  return most < 0 ? most / 1000 : 0;
}
