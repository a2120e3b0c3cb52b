// What one check of `windlass doctor` found.

import { messageOf } from "../../core/errors.ts";
import { measureDifference, type ClockReading } from "../../core/clock-difference.ts";

export interface Check {
  /** What was checked, e.g. `database` or `kubernetes/etl/permissions`. */
  check: string;
  /** warning: works, or cannot be told; problem: something will fail. */
  status: "ok" | "warning" | "problem";
  message: string;
  /** What to do about it. */
  advice: string | null;
}

export const ok = (check: string, message: string): Check => ({ check, status: "ok", message, advice: null });
export const warning = (check: string, message: string, advice: string): Check => ({
  check,
  status: "warning",
  message,
  advice,
});
export const problem = (check: string, message: string, advice: string): Check => ({
  check,
  status: "problem",
  message,
  advice,
});

const CLOCK_TOLERANCE_SECONDS = 2;

/** @param whose e.g. "the database's clock" */
export function judgeClock(check: string, whose: string, reading: ClockReading): Check {
  const seconds = measureDifference(reading);
  const size = `${Math.abs(seconds).toFixed(1)} s`;
  if (Math.abs(seconds) <= CLOCK_TOLERANCE_SECONDS) {
    return ok(check, `${whose} and this machine's differ by ${size} at most`);
  }
  return warning(
    check,
    `${whose} is ${size} ${seconds > 0 ? "ahead of" : "behind"} this machine's`,
    "let both take their time from NTP: due times, leases and timeouts compare them",
  );
}

/** An error's message with those of its causes, in one line. */
export function describeFault(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const own = messageOf(error).replace(/\s+/g, " ").trim();
  return cause === undefined ? own : `${own} (${describeFault(cause)})`;
}

/** One line, for people. */
export function formatCheck({ check, status, message, advice }: Check): string {
  return `${status.padEnd(7)}  ${check}: ${message}${advice === null ? "" : `; ${advice}`}`;
}
