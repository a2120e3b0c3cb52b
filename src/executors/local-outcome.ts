// From a worker process's end to its attempt's outcome. Counts only when the worker itself reported none.

import { GAVE_UP, HEAP_EXHAUSTED } from "../core/last-words.ts";
import type { Outcome, OutcomeKind } from "../core/outcome.ts";
import { WORKER_EXITS } from "./worker-exits.ts";

const LAST_LINES = 5;
const LONGEST_LAST_WORDS = 600;

/** @param lastWords the end of its stderr */
export function judgeExit(code: number | null, signal: NodeJS.Signals | null, lastWords: string): Outcome {
  if (code !== 0 && lastWords.includes(HEAP_EXHAUSTED)) return outOfMemory(code);
  const say = (kind: OutcomeKind, text: string): Outcome => ({
    kind,
    reason: withLastWords(text, lastWords),
    exit_code: code,
    error: null,
  });
  if (code !== 0 && lastWords.includes(GAVE_UP)) return say("lost", "The worker ended itself");
  switch (code) {
    case null:
      // Nobody but a person or the machine sends it; a task's own faults end otherwise.
      if (signal === "SIGTERM") return say("deleted", "The process was ended by SIGTERM from outside");
      return say("task_failed", `The process was ended by ${signal ?? "an unknown signal"}`);
    case 0:
      return say("exited_silently", "The process exited with code 0 without reporting a result");
    default: {
      const { kind, reason } = WORKER_EXITS.get(code) ?? {
        kind: "task_failed",
        reason: `The process exited with code ${code}`,
      };
      return say(kind, reason);
    }
  }
}

/** For a process that ended unseen, as while the executor was restarted: its exit code is lost. */
export function judgeGone(lastWords: string): Outcome {
  if (lastWords.includes(HEAP_EXHAUSTED)) return outOfMemory(null);
  const text = "The process ended while it was not being watched, so its end is unknown";
  return { kind: "lost", reason: withLastWords(text, lastWords), exit_code: null, error: null };
}

function outOfMemory(code: number | null): Outcome {
  const reason = "The process used up its JavaScript heap; give the task more memory, or less to hold at once";
  return { kind: "out_of_memory", reason, exit_code: code, error: null };
}

function withLastWords(text: string, lastWords: string): string {
  const lines = lastWords
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const last = lines.slice(-LAST_LINES).join(" | ").slice(-LONGEST_LAST_WORDS);
  return last === "" ? text : `${text}; its last words: ${last}`;
}
