// How many calls the API server is given at once: halved when it says that it is overloaded, grown by one for each round
// of calls that went well, as TCP does (AIMD), so that many clients come to equal shares without knowing of each other.

export interface CallFlow {
  /** Calls at once; the part behind the point is growth that has not come to a whole call yet. */
  limit: number;
  readonly max: number;
  /** Monotonic ms; nothing is sent before. */
  paused_until: number;
  /** Monotonic ms of the last decrease. */
  shrunk_at: number;
}

export interface CallEnd {
  overloaded: boolean;
  /** Monotonic ms. */
  began_at: number;
  retry_after_ms: number | null;
}

export function openFlow(max: number): CallFlow {
  return { limit: max, max, paused_until: Number.NEGATIVE_INFINITY, shrunk_at: Number.NEGATIVE_INFINITY };
}

/** @param now monotonic ms */
export function adjustFlow(flow: CallFlow, end: CallEnd, now: number): CallFlow {
  if (!end.overloaded) return { ...flow, limit: Math.min(flow.max, flow.limit + 1 / flow.limit) };
  const pausedUntil = Math.max(flow.paused_until, now + (end.retry_after_ms ?? 0));
  // All calls of one burst are refused together: that is one sign, not as many as there were calls.
  if (end.began_at < flow.shrunk_at) return { ...flow, paused_until: pausedUntil };
  return { ...flow, limit: Math.max(1, flow.limit / 2), paused_until: pausedUntil, shrunk_at: now };
}

/** Places for further calls, while `underWay` run. */
export function freePlaces(flow: CallFlow, underWay: number, now: number): number {
  return now < flow.paused_until ? 0 : Math.max(0, Math.floor(flow.limit) - underWay);
}
