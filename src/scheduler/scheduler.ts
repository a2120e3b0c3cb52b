// The scheduler: activities around one state store. Postgres is authoritative; every pass reads what there is to do, decides
// by pure rules, and writes it in one transaction, so that a kill at any instant loses nothing and a second scheduler shares
// the work. Wake-ups make it prompt, periodic passes make it right.

import { createLoop, type Loop, type PassResult } from "../lifecycle/loop.ts";
import { combineServices, type Service } from "../lifecycle/service.ts";
import { forgetProcess, recordProcess } from "../store/processes.ts";
import { createWakeListener, type WakeTopic } from "../store/wake-up.ts";
import type { SchedulerContext } from "./activity.ts";
import { advanceRuns } from "./advance-runs.ts";
import { cleanFinished } from "./clean-finished.ts";
import { computeStaleTimes } from "./compute-times.ts";
import { createAndStartRuns } from "./create-due-runs.ts";
import { followLogs } from "./follow-logs.ts";
import { createLauncher } from "./launch-queued.ts";
import { lookAtEvents } from "./look-at-events.ts";
import { createCallbackCalls } from "./run-callbacks.ts";
import { queueReady } from "./queue-ready.ts";
import { removeKept } from "./remove-kept.ts";
import { rescueLost } from "./rescue-lost.ts";
import { stopAttempts } from "./stop-attempts.ts";
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
// From a container's start to the first look at its log, at most.
const LOG_INTERVAL_MS = 2_000;
const HEARTBEAT_INTERVAL_MS = 5_000;

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { clock, log, db, holder, hostname } = options;
  const loop = (name: string, intervalMs: number, runOnce: (signal: AbortSignal) => Promise<PassResult>): Loop =>
    createLoop({ name, intervalMs, runOnce, clock, log, ...(options.onPass ? { onPass: options.onPass } : {}) });

  const launcher = createLauncher(options, () => launch.wake());
  const launch = loop("launch-queued", SAFETY_INTERVAL_MS, launcher.runOnce);
  const looks = createDeferredLooks(options, () => topics.defer.wake());
  const calls = createCallbackCalls(options, () => topics.callbacks.wake());
  options.executor.onCapacity?.(() => launch.wake());
  const topics: Record<Exclude<WakeTopic, "dags">, Loop> = {
    runs: loop("create-due-runs", SAFETY_INTERVAL_MS, () => createAndStartRuns(options)),
    advance: loop("advance-runs", SAFETY_INTERVAL_MS, (signal) => advanceRuns(options, signal)),
    queue: loop("queue-ready", SAFETY_INTERVAL_MS, () => queueReady(options)),
    launch,
    stop: loop("stop-attempts", SAFETY_INTERVAL_MS, () => stopAttempts(options)),
    defer: loop("resume-deferred", SAFETY_INTERVAL_MS, looks.runOnce),
    callbacks: loop("run-callbacks", SAFETY_INTERVAL_MS, calls.runOnce),
    clean: loop("clean-finished", SAFETY_INTERVAL_MS, () => cleanFinished(options)),
  };
  const times = loop("compute-times", SAFETY_INTERVAL_MS, () => computeStaleTimes(options));
  const rescue = loop("rescue-lost", OVERDUE_INTERVAL_MS, () => rescueLost(options));
  const kept = loop("remove-kept", SAFETY_INTERVAL_MS, () => removeKept(options));
  const logs = loop("follow-logs", LOG_INTERVAL_MS, () => followLogs(options));
  const events = loop("look-at-events", SAFETY_INTERVAL_MS, () => lookAtEvents(options));
  const heartbeat = loop("heartbeat", HEARTBEAT_INTERVAL_MS, async () => {
    await recordProcess(db, { id: holder, kind: "scheduler", hostname }, clock.now());
    return { counts: {} };
  });
  const loops = [...Object.values(topics), times, rescue, kept, logs, events, heartbeat];
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
  const launches: Service = { name: "launches", start: async () => {}, stop: launcher.drain };
  const leased = [looks, calls].map(({ drain }): Service => ({
    name: "leased-work",
    start: async () => {},
    stop: drain,
  }));
  // Stopped in reverse: loops first, then launches under way, then the executor that they use.
  const services = combineServices("scheduler", [options.executor, launches, ...leased, ...loops, listener]);
  return {
    name: "scheduler",
    start: services.start,
    stop: async () => {
      await services.stop();
      await forgetProcess(db, holder).catch((error: unknown) => log.debug({ err: error }, "cannot sign off"));
    },
    stalledMs: () => Math.max(...loops.map((one) => one.sinceLastPassMs())),
  };
}
