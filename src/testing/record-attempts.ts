// What a test is told of each instance's attempts.

import type { EmittedEvent } from "../core/asset-events.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { AttemptRunner, InProcessTask } from "../dags/run-in-process.ts";
import type { VirtualClock } from "../lifecycle/virtual-clock.ts";
import type { ArrangedRunner } from "./arrange-attempts.ts";
import type { TestedAttempt, TestedTask } from "./tested-run.ts";

interface Recorded {
  attempts: TestedAttempt[];
  inputs: JsonObject | null;
  result: Json;
  events: EmittedEvent[];
}

export function recordAttempts(
  runAttempt: ArrangedRunner,
  clock: VirtualClock,
): { runAttempt: AttemptRunner; describe: (task: InProcessTask) => TestedTask } {
  const instances = new Map<string, Recorded>();
  const underWay = new Set<TestedAttempt>();
  const seconds = () => clock.monotonic() / 1000;
  const find = (taskId: string, mapIndex: number): Recorded => {
    const key = `${taskId} ${mapIndex}`;
    const known = instances.get(key) ?? { attempts: [], inputs: null, result: null, events: [] };
    instances.set(key, known);
    return known;
  };
  return {
    runAttempt: async (task, inputs, runtime) => {
      const recorded = find(task.task_id, runtime.map_index);
      const { try_number } = runtime;
      const attempt: TestedAttempt = {
        try_number,
        outcome: "cancelled",
        reason: "",
        started_at: seconds(),
        ended_at: 0,
      };
      recorded.inputs = inputs;
      recorded.attempts.push(attempt);
      underWay.add(attempt);
      const ended = await runAttempt(task, inputs, runtime, recorded.attempts.length);
      const { kind: outcome, reason } = ended.outcome;
      Object.assign(attempt, { outcome, reason, ended_at: seconds() });
      underWay.delete(attempt);
      recorded.result = ended.result;
      recorded.events = ended.events ?? [];
      return ended;
    },
    describe: (task) => {
      const { attempts, inputs, result, events } = find(task.task_id, task.map_index);
      const succeeded = task.state === "success";
      // The run's timeout has ended those.
      const cut = { reason: task.error ?? "", ended_at: seconds() };
      return {
        ...task,
        attempts: attempts.map((attempt) => (underWay.has(attempt) ? { ...attempt, ...cut } : attempt)),
        inputs,
        result: succeeded ? result : null,
        events: succeeded ? events : [],
      };
    },
  };
}
