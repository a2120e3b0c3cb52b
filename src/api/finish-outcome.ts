// What a worker says of its task's end, as the outcome that is kept.

import type { FinishRequest } from "../contract/execution.ts";
import { cleanText } from "../core/clean-text.ts";
import type { Outcome } from "../core/outcome.ts";

const LONGEST_REASON = 500;

/** @param stack the error's stack, mapped to the author's file */
export function determineOutcome(report: FinishRequest, stack: string | null): Outcome {
  switch (report.state) {
    case "success":
      return { kind: "success", reason: "the task returned", exit_code: null, error: null };
    case "skipped":
      return { kind: "skipped", reason: cleanText(report.reason), exit_code: null, error: null };
    case "failed": {
      const error = {
        name: cleanText(report.error.name),
        message: cleanText(report.error.message),
        stack: stack === null ? null : cleanText(stack),
      };
      return {
        kind: report.kind,
        reason: summarise(report.kind, error),
        exit_code: report.exit_code,
        retryable: report.retryable,
        error,
      };
    }
  }
}

function summarise(kind: "task_failed" | "timed_out" | "cancelled", error: { name: string; message: string }): string {
  const firstLine = error.message.split("\n", 1)[0] ?? "";
  // A limit's and a cancellation's message is a sentence of our own already.
  const sentence = kind === "task_failed" ? `${error.name}: ${firstLine}` : firstLine || error.name;
  return sentence.length > LONGEST_REASON ? `${sentence.slice(0, LONGEST_REASON - 1)}…` : sentence;
}
