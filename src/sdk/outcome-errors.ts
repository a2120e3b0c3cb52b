// What a task throws to end in another way than "failed, try again".

import { NO_RETRY, SKIP } from "./compiled.ts";

/** `throw failWithoutRetry("…")`: the task fails now, whatever retries it has left. */
export function failWithoutRetry(message: string, options: { cause?: unknown } = {}): Error {
  const error = Object.assign(new Error(message, options), { name: "FailWithoutRetry", [NO_RETRY]: true });
  Error.captureStackTrace(error, failWithoutRetry);
  return error;
}

/** `throw skip("…")`: the task ends as skipped, with this reason. */
export function skip(reason: string): Error {
  const error = Object.assign(new Error(reason), { name: "Skip", [SKIP]: true });
  Error.captureStackTrace(error, skip);
  return error;
}
