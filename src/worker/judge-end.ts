// From what a task threw to the report of its end.

import type { FinishRequest } from "../contract/execution.ts";
import { NO_RETRY, SKIP } from "../sdk/compiled.ts";
import type { AbortCause } from "./supervisor-link.ts";

export type FailureReport = Extract<FinishRequest, { state: "failed" }>;

const DEEPEST_CAUSE = 5;

/** On what a command's end threw: its exit code. */
export const EXIT_CODE: unique symbol = Symbol("windlass.exit_code");

/** What is known of the task's AbortSignal when it ended. */
export interface Aborted {
  cause: AbortCause;
  reason: string;
  executionTimeout: number | null;
}

/**
 * null: nothing is reported, because a signal from outside ended the task. Then whoever watches the pod or process says
 * what it was (an eviction, a drain, a deletion), and `retries` is not spent on it.
 */
export function judgeThrown(thrown: unknown, aborted: Aborted | null): FinishRequest | null {
  if (hasMark(thrown, SKIP)) return { state: "skipped", reason: describeThrown(thrown).message };
  switch (aborted?.cause) {
    case "timeout":
      return reportTimeout(aborted.executionTimeout ?? 0, describeThrown(thrown).stack);
    case "stop":
      return reportCancelled(aborted.reason, describeThrown(thrown).stack);
    case "signal":
    case "stale":
    case "unreachable":
      return null;
    case undefined: {
      const error = describeThrown(thrown);
      return {
        state: "failed",
        kind: "task_failed",
        retryable: !hasMark(thrown, NO_RETRY),
        exit_code: readExitCode(thrown),
        error,
      };
    }
  }
}

export function reportTimeout(seconds: number, stack: string | null): FailureReport {
  const message = `it ran longer than its execution timeout of ${seconds} s`;
  return {
    state: "failed",
    kind: "timed_out",
    retryable: true,
    exit_code: null,
    error: { name: "TimeoutError", message, stack },
  };
}

export function reportCancelled(reason: string, stack: string | null): FailureReport {
  return {
    state: "failed",
    kind: "cancelled",
    retryable: false,
    exit_code: null,
    error: { name: "AbortError", message: reason, stack },
  };
}

/** code 0 too: without a return there is no result. */
export function reportExit(code: number, stack: string | null): FailureReport {
  const message =
    code === 0 ? "called process.exit(0) before it returned, so it has no result" : `called process.exit(${code})`;
  return {
    state: "failed",
    kind: "task_failed",
    retryable: true,
    exit_code: code,
    error: { name: "ProcessExit", message, stack },
  };
}

/** A failure that no repetition can better. */
export function reportFault(name: string, message: string): FailureReport {
  const error = { name, message, stack: null };
  return { state: "failed", kind: "task_failed", retryable: false, exit_code: null, error };
}

function readExitCode(thrown: unknown): number | null {
  const code: unknown = typeof thrown === "object" && thrown !== null ? Reflect.get(thrown, EXIT_CODE) : null;
  return typeof code === "number" ? code : null;
}

function hasMark(thrown: unknown, mark: symbol): boolean {
  return typeof thrown === "object" && thrown !== null && Reflect.get(thrown, mark) === true;
}

function describeThrown(thrown: unknown): FailureReport["error"] {
  if (!(thrown instanceof Error)) {
    return { name: "NotAnError", message: typeof thrown === "string" ? thrown : inspectWhole(thrown), stack: null };
  }
  return {
    name: readText(thrown, "name"),
    message: readText(thrown, "message"),
    stack: describeStack(thrown),
  };
}

/** Whatever the types say, code sets other things than strings here. */
function readText(error: Error, field: "name" | "message"): string {
  const value: unknown = error[field];
  return String(value);
}

function describeStack(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < DEEPEST_CAUSE && current instanceof Error; depth += 1) {
    parts.push(String(current.stack ?? current));
    current = current.cause;
  }
  return parts.join("\nCaused by: ");
}

/** What is cut is cut once secrets are known again: mask-report.ts. */
function inspectWhole(thrown: unknown): string {
  return process.getBuiltinModule("node:util").inspect(thrown, { maxStringLength: Infinity });
}
