// The local executor: one child process per attempt on this machine. Children outlive it; what it knows of them it reads back
// from /proc, its state folder and the ledger. A worker's own report is authoritative, so what is observed here only counts for
// attempts that ended without one. An attempt without a record in the state folder belongs to another machine and is left to the
// heartbeat timeout. When the ledger is away, observations wait and are repeated.

import type { JsonObject } from "../core/json.ts";
import { messageOf } from "../core/errors.ts";
import type { Observation } from "../core/observation.ts";
import type { Outcome } from "../core/outcome.ts";
import { WORKER_ENVIRONMENT } from "../contract/worker-process.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { createLoop, type PassResult } from "../lifecycle/loop.ts";
import type { AttemptLedger, Executor, ExpectedAttempt, Handle, LaunchOrder, LaunchResult } from "./executor.ts";
import { judgeExit, judgeGone } from "./local-outcome.ts";
import { endRemains, findProcess, identifyProcess, isRunning, signalGroup, signalProcess } from "./local-process.ts";
import { type LocalRecord, openRecordFolder } from "./local-record.ts";
import { spawnWorker, type WorkerProgram } from "./local-spawn.ts";

export interface LocalExecutorOptions extends WorkerProgram {
  ledger: Pick<AttemptLedger, "record" | "listExpected">;
  clock: Clock;
  log: Logger;
  /** Kept between restarts; made if it is missing. */
  stateFolder: string;
  /** Processes at once. */
  slots: number;
  /** Between SIGTERM and SIGKILL of an attempt that is removed. */
  killGraceMs?: number;
  /** Between looks at /proc, for children of an earlier executor and for what an event missed. */
  intervalMs?: number;
}

const KILL_GRACE_MS = 10_000;
const INTERVAL_MS = 1_000;

export function createLocalExecutor(options: LocalExecutorOptions): Executor {
  const { ledger, clock, log, slots } = options;
  const records = openRecordFolder(options.stateFolder);
  const running = new Map<string, { record: LocalRecord & { pod_uid: string }; own: boolean }>();
  const launching = new Map<string, Promise<LaunchResult>>();
  const ending = new Set<string>();
  const stopping = new AbortController();
  const listeners: (() => void)[] = [];
  let seen: Observation[] = [];

  const track = (record: LocalRecord & { pod_uid: string }, own: boolean) =>
    running.set(record.attempt_id, { record, own });

  const observeEnd = (record: LocalRecord & { pod_uid: string }, outcome: Outcome) => {
    running.delete(record.attempt_id);
    ending.delete(record.attempt_id);
    seen.push({
      attempt_id: record.attempt_id,
      epoch: record.epoch,
      namespace: null,
      pod_uid: record.pod_uid,
      pod_scheduled_at: record.spawned_at,
      container_started_at: record.spawned_at,
      waiting: null,
      outcome,
      container: null,
      process_ended: true,
      gone: true,
    });
    loop.wake();
    for (const listener of listeners) listener();
  };

  const spawnAttempt = async (order: LaunchOrder, launchToken: string): Promise<LaunchResult> => {
    const { attempt_id, epoch } = order;
    const intent: LocalRecord = { attempt_id, epoch, pod_uid: null, spawned_at: clock.now().toISOString() };
    records.write(intent);
    const child = await spawnWorker(options, attempt_id, launchToken, records.openStderr(attempt_id));
    const pod_uid = identifyProcess(child.pid);
    // Its parent is this process, which has not collected it: it is there, if only as a zombie.
    if (pod_uid === null) throw new Error(`/proc/${child.pid} cannot be read`);
    const record = { ...intent, pod_uid };
    child.once("exit", (code, signal) => {
      signalGroup(child.pid, "SIGKILL");
      observeEnd(record, judgeExit(code, signal, records.readLastWords(attempt_id)));
    });
    track(record, true);
    records.write(record);
    return { kind: "launched", pod_uid };
  };

  const launchOnce = async (order: LaunchOrder): Promise<LaunchResult> => {
    if (order.work.kind === "container") {
      const { image } = order.work.container;
      return { kind: "refused", reason: `The image ${image} needs the Kubernetes executor, and this is the local one` };
    }
    const found = findRecorded(order.attempt_id, records.read(order.attempt_id));
    if (found) {
      if (!running.has(order.attempt_id) && isRunning(found.pod_uid)) track(found, false);
      return { kind: "launched", pod_uid: found.pod_uid };
    }
    if (running.size >= slots)
      return { kind: "retry", reason: `All ${slots} local processes are busy`, retry_after_ms: INTERVAL_MS };
    return spawnAttempt(order, order.work.launch_token);
  };

  /** An intent without a process may have got one, if the executor died before it could write it down. */
  const findRecorded = (attemptId: string, record: LocalRecord | null): (LocalRecord & { pod_uid: string }) | null => {
    if (record === null) return null;
    const pod_uid = record.pod_uid ?? findProcess(WORKER_ENVIRONMENT.attempt, attemptId);
    if (pod_uid === null) return null;
    const found = { ...record, pod_uid };
    if (record.pod_uid === null) records.write(found);
    return found;
  };

  const compare = (expected: ExpectedAttempt) => {
    const { attempt_id } = expected;
    if (launching.has(attempt_id)) return;
    const known = running.get(attempt_id);
    // Its exit event tells more than /proc does.
    if (known?.own) return;
    const record = known?.record ?? findRecorded(attempt_id, records.read(attempt_id));
    if (!record) return;
    if (isRunning(record.pod_uid)) return void track(record, false);
    // The task may go on in a process that the worker started.
    endRemains(record.pod_uid);
    observeEnd(record, judgeGone(records.readLastWords(attempt_id)));
  };

  const runOnce = async (): Promise<PassResult> => {
    const recorded = records.list();
    const expected = await ledger.listExpected("local");
    const waiting = new Set(seen.map((observation) => observation.attempt_id));
    for (const attempt of expected) if (!waiting.has(attempt.attempt_id)) compare(attempt);
    const observations = seen;
    seen = [];
    try {
      if (observations.length > 0)
        await ledger.record({ executor: "local", observations, position: null, lease: null });
    } catch (error) {
      seen = [...observations, ...seen];
      throw error;
    }
    const known = new Set(expected.map((attempt) => attempt.attempt_id));
    for (const attemptId of recorded) {
      if (running.has(attemptId)) records.trimStderr(attemptId);
      else if (!known.has(attemptId) && !launching.has(attemptId)) records.forget(attemptId);
    }
    return { counts: { observed: observations.length } };
  };

  const loop = createLoop({
    name: "local-executor",
    runOnce,
    intervalMs: options.intervalMs ?? INTERVAL_MS,
    clock,
    log,
  });

  const endLater = async (attemptId: string, podUid: string): Promise<void> => {
    signalProcess(podUid, "SIGTERM");
    await clock.sleep(options.killGraceMs ?? KILL_GRACE_MS, stopping.signal);
    ending.delete(attemptId);
    if (!stopping.signal.aborted) signalProcess(podUid, "SIGKILL");
  };

  return {
    name: "local",
    get launchConcurrency() {
      return Math.max(0, slots - running.size);
    },
    onCapacity: (listener) => void listeners.push(listener),
    namespaceFor: (_pod: JsonObject | null) => null,
    launch: (order) => {
      const underWay = launching.get(order.attempt_id);
      if (underWay) return underWay;
      const launch = launchOnce(order)
        .catch((error: unknown): LaunchResult => {
          log.error({ err: error, attempt_id: order.attempt_id }, "a local process could not be started");
          return {
            kind: "retry",
            reason: `The process could not be started: ${messageOf(error)}`,
            retry_after_ms: null,
          };
        })
        .finally(() => launching.delete(order.attempt_id));
      launching.set(order.attempt_id, launch);
      return launch;
    },
    remove: async (handle: Handle) => {
      const { attempt_id } = handle;
      const podUid = findRecorded(attempt_id, records.read(attempt_id))?.pod_uid ?? handle.pod_uid;
      if (podUid === null || !isRunning(podUid)) {
        if (!running.has(attempt_id)) records.forget(attempt_id);
        return "gone";
      }
      if (!ending.has(attempt_id)) {
        ending.add(attempt_id);
        void endLater(attempt_id, podUid).catch((error: unknown) =>
          log.error({ err: error, attempt_id }, "cannot end a local process"),
        );
      }
      return "going";
    },
    start: async () => {
      // Children of an earlier executor take their slots before anything is launched.
      await runOnce();
      await loop.start();
    },
    stop: async () => {
      stopping.abort();
      await loop.stop();
      // Exit codes that are known only here; without them the ends would be "unknown" to the next executor.
      if (seen.length > 0)
        await runOnce().catch((error: unknown) => log.warn({ err: error }, "the last observations are lost"));
    },
  };
}
