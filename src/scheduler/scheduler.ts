// The scheduler: activities around one state store. Postgres is authoritative; every pass reads what there is to do, decides
// by pure rules, and writes it in one transaction, so that a kill at any instant loses nothing and a second scheduler shares
// the work. Wake-ups make it prompt, periodic passes make it right.

import { createLoop, type Loop, type PassResult } from "../lifecycle/loop.ts";
import { combineServices, joinServices, type Service } from "../lifecycle/service.ts";
import { forgetProcess, recordProcess } from "../store/processes.ts";
import { createWakeListener, type WakeTopic } from "../store/wake-up.ts";
import type { SchedulerContext } from "./activity.ts";
import { createRunAdvance } from "./advance-runs.ts";
import { computeStaleTimes } from "./compute-times.ts";
import { createAndStartRuns } from "./create-due-runs.ts";
import { createExecutorActivities } from "./executor-activities.ts";
import { createCallbackCalls } from "./run-callbacks.ts";
import { queueReady } from "./queue-ready.ts";
import { createStrayCheck } from "./refuse-strays.ts";
import { rescueLost } from "./rescue-lost.ts";
import { createDeferredLooks } from "./resume-deferred.ts";

export interface SchedulerOptions extends SchedulerContext {
  hostname: string;
  onPass?: (name: string, seconds: number, failed: boolean) => void;
}

export interface Scheduler extends Service {
  /** The longest time, in milliseconds, since any activity's last pass: a database that is away does not make it grow. */
  stalledMs(): number;
}

// Wake-ups may be lost; this bounds what that costs.
const SAFETY_INTERVAL_MS = 5_000;
const OVERDUE_INTERVAL_MS = 1_000;
const HEARTBEAT_INTERVAL_MS = 5_000;

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { clock, log, db, holder, hostname, executor, remotes = [] } = options;
  const loop = (name: string, intervalMs: number, runOnce: (signal: AbortSignal) => Promise<PassResult>): Loop =>
    createLoop({ name, intervalMs, runOnce, clock, log, ...(options.onPass ? { onPass: options.onPass } : {}) });

  const home = createExecutorActivities(options, executor, loop, SAFETY_INTERVAL_MS);
  const perExecutor = [
    home,
    ...remotes.map((remote) => createExecutorActivities(options, remote, loop, SAFETY_INTERVAL_MS)),
  ];
  const wakeEach = (topic: "launch" | "stop" | "clean") => ({
    wake: () => perExecutor.forEach((activities) => activities.wake(topic)),
  });
  const looks = createDeferredLooks(options, () => topics.defer.wake());
  const calls = createCallbackCalls(options, () => topics.callbacks.wake());
  const shared = {
    runs: loop("create-due-runs", SAFETY_INTERVAL_MS, () => createAndStartRuns(options)),
    advance: loop("advance-runs", SAFETY_INTERVAL_MS, createRunAdvance(options)),
    queue: loop("queue-ready", SAFETY_INTERVAL_MS, () => queueReady(options)),
    defer: loop("resume-deferred", SAFETY_INTERVAL_MS, looks.runOnce),
    callbacks: loop("run-callbacks", SAFETY_INTERVAL_MS, calls.runOnce),
  };
  const topics: Record<Exclude<WakeTopic, "dags">, { wake(): void }> = {
    ...shared,
    launch: wakeEach("launch"),
    stop: wakeEach("stop"),
    clean: wakeEach("clean"),
  };
  const times = loop("compute-times", SAFETY_INTERVAL_MS, () => computeStaleTimes(options));
  const rescue = loop("rescue-lost", OVERDUE_INTERVAL_MS, () => rescueLost(options));
  const strays = loop("refuse-strays", SAFETY_INTERVAL_MS, createStrayCheck(options));
  const heartbeat = loop("heartbeat", HEARTBEAT_INTERVAL_MS, async () => {
    const names = [executor, ...remotes].map(({ name }) => name);
    await recordProcess(db, { id: holder, kind: "scheduler", hostname, executors: names }, clock.now());
    return { counts: {} };
  });
  const loops = [...Object.values(shared), times, rescue, strays, heartbeat];
  const listener = createWakeListener({
    url: db.url,
    clock,
    log,
    onWake: (topic) => {
      if (topic !== "dags") topics[topic].wake();
      // A new version comes with this topic, and may have a timetable to ask.
      if (topic === "runs") times.wake();
    },
  });
  const leased = [looks, calls].map(({ drain }): Service => ({
    name: "leased-work",
    start: async () => {},
    stop: drain,
  }));
  // A cluster that does not answer takes long to stop, and the others are not to wait for it.
  const executors = joinServices("executors", perExecutor);
  const services = combineServices("scheduler", [executors, ...leased, ...loops, listener]);
  return {
    name: "scheduler",
    start: services.start,
    stop: async () => {
      await services.stop();
      await forgetProcess(db, holder).catch((error: unknown) => log.debug({ err: error }, "cannot sign off"));
    },
    // Not those of other clusters: a restart would mend none of them, and would stop the work at home.
    stalledMs: () => Math.max(...[...loops, ...home.loops].map((one) => one.sinceLastPassMs())),
  };
}
