// The activities that talk to one executor. Each executor has its own, on loops of their own: a cluster that does not answer
// keeps nobody waiting but its own attempts.

import type { Executor } from "../executors/executor.ts";
import type { Loop, PassResult } from "../lifecycle/loop.ts";
import { combineServices, type Service } from "../lifecycle/service.ts";
import { parseExecutor } from "../core/executor-name.ts";
import type { SchedulerContext } from "./activity.ts";
import { cleanFinished } from "./clean-finished.ts";
import { followLogs } from "./follow-logs.ts";
import { createLauncher } from "./launch-queued.ts";
import { lookAtEvents } from "./look-at-events.ts";
import { removeKept } from "./remove-kept.ts";
import { stopAttempts } from "./stop-attempts.ts";

export interface ExecutorActivities extends Service {
  wake(topic: "launch" | "stop" | "clean"): void;
  loops: readonly Loop[];
}

export type MakeLoop = (
  name: string,
  intervalMs: number,
  runOnce: (signal: AbortSignal) => Promise<PassResult>,
) => Loop;

// From a container's start to the first look at its log, at most.
const LOG_INTERVAL_MS = 2_000;
// What is under way at the stop has this long to come to an end; a cluster that does not answer would take minutes.
const LEAVE_MS = 10_000;

export function createExecutorActivities(
  scheduler: SchedulerContext,
  executor: Executor,
  makeLoop: MakeLoop,
  safetyIntervalMs: number,
): ExecutorActivities {
  const { cluster } = parseExecutor(executor.name);
  const context = { ...scheduler, executor, log: cluster === null ? scheduler.log : scheduler.log.child({ cluster }) };
  const loop = (name: string, run: () => Promise<PassResult>, intervalMs = safetyIntervalMs) =>
    makeLoop(cluster === null ? name : `${name}/${cluster}`, intervalMs, run);

  const launcher = createLauncher(context, () => topics.launch.wake());
  const topics = {
    launch: loop("launch-queued", launcher.runOnce),
    stop: loop("stop-attempts", () => stopAttempts(context)),
    clean: loop("clean-finished", () => cleanFinished(context)),
  };
  executor.onCapacity?.(() => topics.launch.wake());
  const loops = [
    ...Object.values(topics),
    loop("remove-kept", () => removeKept(context)),
    loop("follow-logs", () => followLogs(context), LOG_INTERVAL_MS),
    loop("look-at-events", () => lookAtEvents(context)),
  ];
  const launches: Service = { name: "launches", start: async () => {}, stop: launcher.drain };
  // Stopped in reverse: loops first, then launches under way, then the executor that they use.
  const services = combineServices(`activities of ${executor.name}`, [executor, launches, ...loops]);
  return {
    ...services,
    stop: async () => {
      const over = new AbortController();
      const leaving = services.stop().finally(() => over.abort());
      await scheduler.clock.sleep(LEAVE_MS, over.signal);
      // Whatever is still under way breaks off, and is repeated by who comes next.
      await Promise.all([executor.stop(), leaving]);
    },
    wake: (topic) => topics[topic].wake(),
    loops,
  };
}
