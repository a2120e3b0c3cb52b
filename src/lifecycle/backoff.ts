// The one backoff: exponential, capped, with full jitter above half the nominal delay, so that
// many clients that failed together do not return together.

export interface BackoffPolicy {
  initialMs: number;
  maxMs: number;
  factor: number;
}

/** 0.1 s, 0.2 s … 10 s: for calls to our own services. */
export const CALL_BACKOFF: BackoffPolicy = { initialMs: 100, maxMs: 10_000, factor: 2 };
/** 0.8 s … 30 s, as client-go's reflector: for watches and lists. */
export const WATCH_BACKOFF: BackoffPolicy = { initialMs: 800, maxMs: 30_000, factor: 2 };

/**
 * Milliseconds to wait before attempt `failures + 1`.
 * `random` gives [0, 1); `atLeastMs` is a server's Retry-After.
 */
export function backoffDelay(
  policy: BackoffPolicy,
  failures: number,
  random: () => number = Math.random,
  atLeastMs = 0,
): number {
  const nominal = Math.min(policy.maxMs, policy.initialMs * policy.factor ** Math.max(0, failures - 1));
  return Math.max(atLeastMs, nominal * (0.5 + random() / 2));
}
