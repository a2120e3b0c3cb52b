// Asks a custom timetable for its next times, in the sealed child: the author's code sees nothing but the instant, and what
// it answers is believed only so far that it is a list of times in ascending order.

import { failure } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { TimetableQuestion } from "./evaluation-answer.ts";
import { answerSchema } from "./evaluate.ts";
import { type EvaluationLimits, runSealed } from "./run-sealed.ts";
import { mapStack } from "./source-stack.ts";

export interface ComputedTimes {
  times: Date[];
  /** The timetable has no later ones. */
  is_complete: boolean;
}

/** Errors: invalid_dag, when the timetable throws, hangs or answers nonsense; unavailable. */
export async function computeTimes(
  bundle: { hash: string; code: string; sourceMap: string },
  question: TimetableQuestion,
  limits: EvaluationLimits,
  clock: Clock,
): Promise<ComputedTimes> {
  const fault = (message: string) =>
    failure("invalid_dag", `the timetable of DAG "${question.dag_id}" gives no times: ${message}`);
  const end = await runSealed("compute", bundle.code, limits, clock, undefined, question);
  switch (end.kind) {
    case "timed_out":
      throw fault(`it took longer than ${limits.timeMs / 1000} s`);
    case "out_of_memory":
    case "output_too_large":
      throw fault("it took too much memory");
    case "died":
      throw fault(`its process ended without an answer: ${end.reason}`);
    case "answered":
      break;
  }
  const answer = answerSchema.safeParse(parseJson(end.text));
  if (!answer.success) throw fault("its process answered with something else");
  if (answer.data.kind === "thrown") {
    const { file, line } = mapStack(answer.data.stack, bundle.sourceMap, bundle.hash);
    throw fault(line === null ? answer.data.message : `${answer.data.message} (${file}:${line})`);
  }
  if (answer.data.kind !== "times") throw fault("its process answered out of turn");
  const times = answer.data.times.map((time) => new Date(time));
  const isAscending = times.every((time, at) => time.getTime() > (times[at - 1]?.getTime() ?? question.after));
  if (!isAscending || times.length > question.count) throw fault("its times are not in ascending order");
  return { times, is_complete: answer.data.is_complete };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
