// Puts what a test has arranged in front of a task's own attempts.

import { failure } from "../core/errors.ts";
import { isWait } from "../core/operator.ts";
import type { AttemptRunner } from "../dags/run-in-process.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CompiledDag } from "../sdk/compiled.ts";
import type { Arrangement } from "./arrangements.ts";
import type { createAttemptRunner } from "./attempt-runner.ts";
import { describeError, describeTimeout, type Ended } from "./call-task.ts";

/** Errors: invalid_request for what cannot come to pass. */
export function checkArrangements({ definition }: CompiledDag, given: readonly Arrangement[]): readonly Arrangement[] {
  for (const arrangement of given) {
    const task = definition.tasks.find(({ task_id }) => task_id === arrangement.task_id);
    if (!task) {
      const ids = definition.tasks.map(({ task_id }) => task_id).join(", ");
      throw failure("invalid_request", `DAG "${definition.dag_id}" has no task "${arrangement.task_id}", but ${ids}`);
    }
    const limit = isWait(task.operator) ? task.operator.timeout : task.execution_timeout;
    if (arrangement.kind === "end" && arrangement.end.kind === "timed_out" && limit === null) {
      const option = isWait(task.operator) ? "timeout" : "executionTimeout";
      throw failure("invalid_request", `task "${task.task_id}" cannot time out: it has no ${option}`);
    }
  }
  return given;
}

/** `ordinal`: the how manieth attempt of its instance it is, from 1 on. */
export type ArrangedRunner = (...call: [...Parameters<AttemptRunner>, ordinal: number]) => Promise<Ended>;

export function arrangeAttempts(
  runAttempt: ReturnType<typeof createAttemptRunner>,
  arranged: readonly Arrangement[],
  clock: Clock,
): ArrangedRunner {
  return async (task, inputs, runtime, ordinal) => {
    const own = arranged.filter(({ task_id }) => task_id === task.task_id);
    const seconds = own.findLast((each) => each.kind === "duration")?.seconds ?? 0;
    const limit = task.execution_timeout ?? Number.POSITIVE_INFINITY;
    const end = own.findLast(
      (each) =>
        each.kind === "end" &&
        each.attempts.includes(ordinal) &&
        (each.map_index === null || each.map_index === runtime.map_index),
    );
    const arrangedEnd = end?.kind === "end" ? end.end : null;
    const inVain = arrangedEnd?.kind === "timed_out";
    if (inVain && isWait(task.operator)) return runAttempt(task, inputs, runtime, { inVain });
    if (inVain || seconds > limit) {
      await clock.sleep(limit * 1000);
      return { outcome: describeTimeout(limit), result: null };
    }
    await clock.sleep(seconds * 1000);
    if (arrangedEnd?.kind === "fault") {
      const reason = `the test made the cluster end it: ${arrangedEnd.outcome}`;
      return { outcome: { kind: arrangedEnd.outcome, reason, exit_code: null, error: null }, result: null };
    }
    if (arrangedEnd?.kind === "thrown") {
      return { outcome: describeError(arrangedEnd.error, (stack) => stack), result: null };
    }
    const stubbed = own.findLast((each) => each.kind === "stub");
    return runAttempt(task, inputs, runtime, stubbed?.kind === "stub" ? { replaced: stubbed.run } : {});
  };
}
