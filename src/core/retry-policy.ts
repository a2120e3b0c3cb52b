// Whether a failure of the task's own is tried again, by what it was, and after how long.

import type { RetryBackoff } from "./definition.ts";
import { hashText } from "./hash-text.ts";
import type { Outcome } from "./outcome.ts";

/** See core/definition.ts. */
export interface RetryPolicy {
  /** Seconds. */
  retry_delay: number;
  retry_backoff?: RetryBackoff;
  retry_on?: string[];
  no_retry_on?: string[];
}

/** Seconds: no delay is longer, whatever the task says. */
export const LONGEST_RETRY_DELAY = 86_400;

/** Why the failure is final, by the names of errors that the task gives; null: it is not. */
export function allowsRetry(policy: RetryPolicy, outcome: Outcome): string | null {
  // Beside the error's name its kind can be given: an end without an error, such as exited_silently, has no other.
  const names = [nameOf(outcome), outcome.kind].filter((name) => name !== null);
  const excluded = names.find((name) => policy.no_retry_on?.includes(name));
  if (excluded !== undefined) return `not tried again: noRetryOn names ${excluded}`;
  if (policy.retry_on && !names.some((name) => policy.retry_on?.includes(name))) {
    return `not tried again: retryOn does not name ${names[0]}`;
  }
  return null;
}

/** A timeout has its error's name also when nobody was left to throw it. */
function nameOf({ error, kind }: Outcome): string | null {
  return error?.name ?? (kind === "timed_out" ? "TimeoutError" : null);
}

/**
 * Seconds from the end of a try to the next one. A growing delay is spread over [1, 2) of its nominal length, always the same
 * for one try of one instance, so that the instances of a map or the runs of a DAG do not come back all at once.
 * @param tried the number of the try that has ended, from 1 on
 */
export function retryDelay(policy: RetryPolicy, seed: string, tried: number): number {
  const { retry_delay, retry_backoff } = policy;
  if (!retry_backoff) return Math.min(retry_delay, LONGEST_RETRY_DELAY);
  const longest = Math.min(retry_backoff.max ?? LONGEST_RETRY_DELAY, LONGEST_RETRY_DELAY);
  const nominal = retry_delay * retry_backoff.factor ** (tried - 1);
  const jitter = hashText(`${seed} ${tried}`) / 2 ** 32;
  return Math.min(nominal * (1 + jitter), longest);
}
