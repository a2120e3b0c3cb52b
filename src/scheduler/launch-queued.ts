// Launches queued attempts, off the scheduling loop and as many at once as the executor allows. A launch that the cluster
// refuses for a while is put off with backoff, within a budget of time; one that can never work ends its attempt with the reason.

import type { ContainerDefinition, TaskDefinition } from "../core/definition.ts";
import { parseExecutor } from "../core/executor-name.ts";
import type { DagGraph } from "../core/graph.ts";
import { messageOf } from "../core/errors.ts";
import { capFloor } from "../core/memory-growth.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Executor, LaunchOrder, LaunchResult, LaunchWork } from "../executors/executor.ts";
import { type BackoffPolicy, backoffDelay } from "../lifecycle/backoff.ts";
import {
  claimAttempts,
  type ClaimedAttempt,
  extendClaims,
  findNextLaunch,
  type LaunchRecord,
  recordLaunches,
} from "../store/attempt-launch.ts";
import { prepareContainer } from "../store/container-launch.ts";
import type { LaunchReport, SchedulerContext } from "./activity.ts";
import { createLeasedWork, type LeasedWork } from "./leased-work.ts";

/** 1 s … 60 s between launches of one attempt. */
const LAUNCH_BACKOFF: BackoffPolicy = { initialMs: 1_000, maxMs: 60_000, factor: 2 };
/** A repeat finds the pod, so it need not be waited for long. */
const LEASE_MS = 15_000;

export function createLauncher(context: SchedulerContext, wake: () => void): LeasedWork {
  const { db, executor, rules, holder } = context;
  return createLeasedWork<ClaimedAttempt, LaunchRecord>(
    context,
    {
      name: "launch-queued",
      mostAtOnce: () => executor.launchConcurrency,
      leaseMs: LEASE_MS,
      keyOf: ({ attempt_id }) => attempt_id,
      claim: (limit, now) => claimAttempts(db, { executor: executor.name, holder, limit, leaseMs: LEASE_MS }, now),
      extend: (attempts, until) =>
        extendClaims(db, { attemptIds: attempts.map(({ attempt_id }) => attempt_id), holder }, until),
      // A launch that is told to stop ends with its executor, or by itself.
      work: (attempt, { lasts }) => launch(context, attempt, lasts),
      record: (records, now) => recordLaunches(db, rules, holder, records, now),
      findNext: (now) => findNextLaunch(db, executor.name, now),
    },
    wake,
  );
}

async function launch(
  context: SchedulerContext,
  attempt: ClaimedAttempt,
  isOurs: () => boolean,
): Promise<LaunchRecord> {
  const { db, executor, rules, clock, log, limits } = context;
  const { attempt_id } = attempt;
  let task: TaskDefinition | undefined;
  let result: LaunchResult;
  try {
    const { graph } = await rules.versions.loadVersion(db, attempt.version_id);
    task = graph.tasks.get(attempt.task_id);
    result = await launchAttempt(context, attempt, graph, task, isOurs);
  } catch (error) {
    log.error({ err: error, attempt_id }, "launch failed unexpectedly");
    // Put off like any other, so that one which fails for ever comes to an end with a reason.
    result = { kind: "retry", reason: `The launch failed unexpectedly: ${messageOf(error)}`, retry_after_ms: null };
  }
  const now = clock.now();
  const record = recordOf(attempt, result, now, limits.launch, task);
  context.onLaunch?.(reportOf(executor, attempt, record, now));
  return record;
}

async function launchAttempt(
  context: SchedulerContext,
  attempt: ClaimedAttempt,
  graph: DagGraph,
  task: TaskDefinition | undefined,
  isOurs: () => boolean,
): Promise<LaunchResult> {
  const { db, executor } = context;
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
  const order: LaunchOrder = {
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
  };
  return executor.launch(order, isOurs);
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
