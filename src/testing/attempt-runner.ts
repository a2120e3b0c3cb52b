// Runs attempts in this process: functions and commands for real, waits on the run's clock.

import type { TaskDefinition } from "../core/definition.ts";
import type { Mask } from "../core/mask-secrets.ts";
import { isWait } from "../core/operator.ts";
import type { AttemptRunner } from "../dags/run-in-process.ts";
import { type Clock, systemClock } from "../lifecycle/clock.ts";
import type { VirtualClock } from "../lifecycle/virtual-clock.ts";
import type { CompiledDag, CompiledFunction } from "../sdk/compiled.ts";
import { findTaskFunction } from "../worker/task-function.ts";
import { callTask, type CallSurroundings, type Ended } from "./call-task.ts";
import { type Looked, type Outside, runWait } from "./run-wait.ts";

export interface AttemptWorld extends CallSurroundings {
  dag: CompiledDag;
  clock: VirtualClock;
  /** Of commands. */
  environment: NodeJS.ProcessEnv;
  /** Of what commands say. */
  mask: Mask;
  outside: Outside;
  /** A task that runs an image: its end, or an error. */
  runImage: (task: TaskDefinition, image: string) => Ended;
  /** The most that passes for real between two pokes, however long the pause is on the clock. */
  longestPauseMs: number;
  note: (taskId: string, text: string) => void;
}

export interface AttemptOptions {
  /** In place of the task's own function or image. */
  replaced?: CompiledFunction;
  /** Whether what a wait waits for never comes. */
  inVain?: boolean;
}

type Attempt = [...Parameters<AttemptRunner>, options?: AttemptOptions];

export function createAttemptRunner(world: AttemptWorld): (...attempt: Attempt) => Promise<Ended> {
  const { dag, clock } = world;
  const waits = new Map<string, Looked>();
  const findLooked = (key: string): Looked => {
    const looked = waits.get(key) ?? { began_at: clock.now(), looks: 0 };
    waits.set(key, looked);
    return looked;
  };
  return async (task, inputs, runtime, { replaced, inVain = false } = {}) => {
    const { task_id, operator, container } = task;
    if (replaced) return clock.hold(callTask(task, replaced, inputs, runtime, world));
    if (container) return world.runImage(task, container.image);
    const callOwn = async () => {
      const run = findTaskFunction(dag, task_id, { environment: world.environment, mask: world.mask });
      if (!run) throw new Error(`task ${task_id} has no function`);
      return clock.hold(callTask(task, run, inputs, runtime, world));
    };
    if (!isWait(operator)) return callOwn();
    const poke = async () => {
      const { outcome, result } = await callOwn();
      return outcome.kind === "success"
        ? { kind: "returned" as const, value: result }
        : { kind: "failed" as const, outcome };
    };
    const note = (text: string) => world.note(task_id, text);
    const looked = findLooked(`${task_id} ${runtime.map_index}`);
    const pausing = operator.type === "sensor" ? slowDown(clock, world.longestPauseMs) : clock;
    return runWait({ task_id, operator, inputs, poke, inVain, looked, note }, world.outside, pausing);
  };
}

/** Whoever is poked is a real system. */
function slowDown(clock: VirtualClock, longestPauseMs: number): Clock {
  return {
    ...clock,
    sleep: async (ms) => {
      if (longestPauseMs > 0) await clock.hold(systemClock.sleep(Math.min(ms, longestPauseMs)));
      await clock.sleep(ms);
    },
  };
}
