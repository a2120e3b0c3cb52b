// Launches queued attempts, off the scheduling loop: each pass writes down what launches have come to and claims as many as
// there are free places. A launch that the cluster refuses for a while is put off with backoff, within a budget of time; one
// that can never work ends its attempt with the reason.

import type { ContainerDefinition, TaskDefinition } from "../core/definition.ts";
import { parseExecutor } from "../core/executor-name.ts";
import type { DagGraph } from "../core/graph.ts";
import { messageOf } from "../core/errors.ts";
import { capFloor } from "../core/memory-growth.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Executor, LaunchResult, LaunchWork } from "../executors/executor.ts";
import { type BackoffPolicy, backoffDelay } from "../lifecycle/backoff.ts";
import type { PassResult } from "../lifecycle/loop.ts";
import {
  claimAttempts,
  type ClaimedAttempt,
  findNextLaunch,
  type LaunchRecord,
  recordLaunches,
  renewClaims,
} from "../store/attempt-launch.ts";
import { prepareContainer } from "../store/container-launch.ts";
import { type LaunchReport, type SchedulerContext, untilMs } from "./activity.ts";

/** 1 s … 60 s between launches of one attempt. */
const LAUNCH_BACKOFF: BackoffPolicy = { initialMs: 1_000, maxMs: 60_000, factor: 2 };
// What a killed scheduler had claimed waits for no longer; the living renew what takes longer, in passes every few seconds.
const CLAIM_LEASE_MS = 15_000;
const RENEW_MS = 5_000;

export interface Launcher {
  runOnce(): Promise<PassResult>;
  /** Resolves when no launch is under way. */
  drain(): Promise<void>;
}

/** @param wake asks for another pass, when a launch has come to an end */
export function createLauncher(context: SchedulerContext, wake: () => void): Launcher {
  const { db, executor, rules, clock, log, holder, limits } = context;
  const underWay = new Map<string, { launching: Promise<void>; claimedAt: Date }>();
  let ended: LaunchRecord[] = [];

  const launch = async (attempt: ClaimedAttempt): Promise<void> => {
    const { graph } = await rules.versions.loadVersion(db, attempt.version_id);
    const task = graph.tasks.get(attempt.task_id);
    finish(attempt, await launchAttempt(attempt, graph, task), task);
  };

  const finish = (attempt: ClaimedAttempt, result: LaunchResult, task?: TaskDefinition): void => {
    const now = clock.now();
    const record = recordOf(attempt, result, now, limits.launch, task);
    ended.push(record);
    context.onLaunch?.(reportOf(executor, attempt, record, now));
  };

  const launchAttempt = async (
    attempt: ClaimedAttempt,
    graph: DagGraph,
    task: TaskDefinition | undefined,
  ): Promise<LaunchResult> => {
    let work: LaunchWork;
    if (task?.container) {
      const moved = refuseMoved(executor, task.container);
      if (moved !== null) return moved;
      const ready = await prepareContainer(db, graph, task, task.container, attempt.attempt_id);
      if (ready.kind === "fault") return { kind: "refused", reason: ready.reason };
      if (ready.kind === "occupied") return { kind: "retry", reason: ready.reason, retry_after_ms: null };
      const { container } = ready;
      const result_token = container.result_file === null ? null : await context.issueResultToken(attempt);
      work = { kind: "container", container, result_token };
    } else {
      work = { kind: "worker", launch_token: await context.issueLaunchToken(attempt) };
    }
    return executor.launch({
      attempt_id: attempt.attempt_id,
      epoch: attempt.epoch,
      dag_id: attempt.dag_id,
      run_id: attempt.run_id,
      task_id: attempt.task_id,
      map_index: attempt.map_index,
      try_number: attempt.try_number,
      namespace: attempt.namespace,
      pod_name: attempt.pod_name,
      pod: task?.pod ?? null,
      memory_floor: floorOf(attempt, task),
      work,
    });
  };

  const begin = (attempt: ClaimedAttempt, claimedAt: Date): void => {
    const { attempt_id } = attempt;
    // A claim that ran out while Postgres was away, and is ours again.
    const before = underWay.get(attempt_id);
    if (before) {
      before.claimedAt = claimedAt;
      return;
    }
    const launching = launch(attempt)
      .catch((error: unknown) => {
        log.error({ err: error, attempt_id }, "launch failed unexpectedly");
        // Put off like any other, so that one which fails for ever comes to an end with a reason.
        const reason = `The launch failed unexpectedly: ${messageOf(error)}`;
        finish(attempt, { kind: "retry", reason, retry_after_ms: null });
      })
      .finally(() => {
        underWay.delete(attempt_id);
        wake();
      });
    underWay.set(attempt_id, { launching, claimedAt });
  };

  const renew = async (now: Date): Promise<void> => {
    const old = [...underWay].filter(([, { claimedAt }]) => now.getTime() - claimedAt.getTime() >= RENEW_MS);
    if (old.length === 0) return;
    await renewClaims(db, { attemptIds: old.map(([id]) => id), holder, leaseMs: CLAIM_LEASE_MS }, now);
    for (const [, claim] of old) claim.claimedAt = now;
  };

  return {
    runOnce: async () => {
      const records = ended;
      ended = [];
      const now = clock.now();
      try {
        if (records.length > 0) await recordLaunches(db, rules, records, now);
      } catch (error) {
        ended = [...records, ...ended];
        throw error;
      }
      await renew(now);
      const free = executor.launchConcurrency - underWay.size;
      const claimed =
        free > 0
          ? await claimAttempts(db, { executor: executor.name, holder, limit: free, leaseMs: CLAIM_LEASE_MS }, now)
          : [];
      for (const attempt of claimed) begin(attempt, now);
      return {
        counts: { claimed: claimed.length, recorded: records.length },
        dueInMs: free > claimed.length ? untilMs(await findNextLaunch(db, executor.name, now), now) : null,
      };
    },
    drain: async () => {
      while (underWay.size > 0) await Promise.all([...underWay.values()].map(({ launching }) => launching));
      try {
        if (ended.length > 0) await recordLaunches(db, rules, ended, clock.now());
      } catch (error) {
        // Their claims run out, and whoever repeats a launch finds its pod.
        log.warn({ err: error, launches: ended.length }, "launches could not be recorded before the end");
      }
      ended = [];
    },
  };
}

/** An earlier release queues all pods for its own cluster. */
function refuseMoved(executor: Executor, container: ContainerDefinition): LaunchResult | null {
  const cluster = container.cluster ?? null;
  const queuedFor = parseExecutor(executor.name).cluster;
  if (queuedFor === cluster) return null;
  const name = (one: string | null) => (one === null ? "the installation's own cluster" : `cluster "${one}"`);
  return {
    kind: "refused",
    reason: `It was queued for ${name(queuedFor)}, but its task names ${name(cluster)}; clear it`,
  };
}

/** Bytes; null: its memory is as its pod says. */
function floorOf({ memory_floor: floor }: ClaimedAttempt, task: TaskDefinition | undefined): bigint | null {
  return floor === null || !task?.memory_growth ? null : capFloor(task.memory_growth, BigInt(floor));
}

function recordOf(
  attempt: ClaimedAttempt,
  result: LaunchResult,
  now: Date,
  budgetSeconds: number,
  task: TaskDefinition | undefined,
): LaunchRecord {
  const { attempt_id } = attempt;
  const end = (kind: "launch_failed" | "launch_refused", reason: string): LaunchRecord => {
    const outcome: Outcome = { kind, reason, exit_code: null, error: null };
    return { attempt_id, kind: "ended", outcome };
  };
  switch (result.kind) {
    case "launched":
      return {
        attempt_id,
        kind: "launched",
        pod_uid: result.pod_uid,
        limits: { schedule_timeout: task?.schedule_timeout ?? null, start_timeout: task?.start_timeout ?? null },
      };
    case "refused":
      return end("launch_refused", result.reason);
    case "retry": {
      if (now.getTime() - (attempt.waiting_since ?? now).getTime() > budgetSeconds * 1000) {
        return end("launch_failed", `could not be launched within ${budgetSeconds} s: ${result.reason}`);
      }
      const wait = backoffDelay(LAUNCH_BACKOFF, attempt.launch_failures + 1, Math.random, result.retry_after_ms ?? 0);
      return { attempt_id, kind: "put_off", reason: result.reason, launch_after: new Date(now.getTime() + wait) };
    }
  }
}

function reportOf(
  executor: Executor,
  { scheduled_at, queued_at }: ClaimedAttempt,
  record: LaunchRecord,
  now: Date,
): LaunchReport {
  const seconds = (from: Date, to: Date) => Math.max(0, to.getTime() - from.getTime()) / 1000;
  const outcome =
    record.kind !== "ended"
      ? record.kind
      : record.outcome.kind === "launch_refused"
        ? ("launch_refused" as const)
        : ("launch_failed" as const);
  return {
    cluster: parseExecutor(executor.name).cluster,
    outcome,
    slot_wait: scheduled_at === null ? null : seconds(scheduled_at, queued_at),
    launch_delay: seconds(queued_at, now),
  };
}
