// A fresh state store for a test, and the moves of a scheduler and its workers as plain calls: no loops, no clock but the
// one the test moves. What a worker would do is said by a function.

import { randomUUID } from "node:crypto";
import type { DagDefinition, TaskDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import type { Outcome, OutcomeKind } from "../../src/core/outcome.ts";
import { podName } from "../../src/core/pod-name.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { finishAttempt } from "../../src/store/attempt-finish.ts";
import { claimAttempts, recordLaunches } from "../../src/store/attempt-launch.ts";
import type { OutcomeRules } from "../../src/store/attempt-outcome.ts";
import { startAttempt, type StartedAttempt } from "../../src/store/attempt-start.ts";
import { saveDagFile } from "../../src/store/dag-files.ts";
import { createVersionCache } from "../../src/store/dag-versions.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { advanceNextRun } from "../../src/store/run-advance.ts";
import { startQueuedRuns } from "../../src/store/run-start.ts";
import { createManualRun } from "../../src/store/run-creation.ts";
import { queueReadyTasks, returnDueRetries } from "../../src/store/task-queue.ts";
import { createTestDatabase, type TestDatabase } from "./postgres.ts";

export interface StoreBundle {
  db: Database;
  rules: OutcomeRules;
  /** What every call takes as now. */
  now: () => Date;
  pass(seconds: number): void;
  save(definition: DagDefinition, hash?: string): Promise<void>;
  trigger(dagId: string): Promise<{ id: number; dag_run_id: string }>;
  /** Starts, advances and queues until nothing more follows. */
  settle(): Promise<void>;
  /** Claims what is queued and records it as launched. */
  launch(): Promise<LaunchedAttempt[]>;
  start(attemptId: string, workerId?: string): Promise<StartedAttempt>;
  finish(attempt: { attempt_id: string; epoch: number }, kind?: OutcomeKind, result?: Json): Promise<void>;
  /** Runs everything that can run, as workers that do what `work` says. */
  workThrough(work?: (attempt: StartedAttempt) => { kind: OutcomeKind; result?: Json }): Promise<StartedAttempt[]>;
  states(runId: number): Promise<Record<string, string | null>>;
  runState(runId: number): Promise<string>;
  close(): Promise<void>;
}

export interface LaunchedAttempt {
  attempt_id: string;
  epoch: number;
  task_id: string;
  pod_name: string;
  pod_uid: string;
}

const EXECUTOR = "local" as const;
const LIMITS = { parallelism: 1_000, batch: 500 };

export async function openStoreBundle(database?: TestDatabase): Promise<StoreBundle> {
  const { url, drop } = database ?? (await createTestDatabase());
  const log = createLogger("silent");
  const db = openDatabase({ url, poolSize: 8, applicationName: "test", log });
  const rules: OutcomeRules = { versions: createVersionCache(), infrastructureBudget: 3, fence: 330 };
  let time = Date.parse("2026-11-21T08:00:00Z");
  const now = () => new Date(time);
  const place = () => ({ executor: EXECUTOR, namespace: null });
  const placement = { newId: randomUUID, podName, place };

  const settle = async () => {
    await returnDueRetries(db, now());
    await startQueuedRuns(db, rules.versions, now(), 100);
    while (await advanceNextRun(db, rules.versions, now()));
    while ((await queueReadyTasks(db, rules.versions, placement, LIMITS, now())).more);
  };
  const launch = async () => {
    const claimed = await claimAttempts(db, { executor: EXECUTOR, holder: "test", limit: 500, leaseMs: 60_000 }, now());
    const launched = claimed.map((attempt) => ({ ...attempt, pod_uid: `uid-${attempt.attempt_id}` }));
    const records = launched.map(({ attempt_id, pod_uid }) => ({ attempt_id, kind: "launched" as const, pod_uid }));
    await recordLaunches(db, rules, "test", records, now());
    return launched;
  };
  const start = (attemptId: string, workerId: string = randomUUID()) =>
    startAttempt(db, rules.versions, { attempt_id: attemptId, worker_id: workerId, hostname: "test" }, now());
  const finish = (attempt: { attempt_id: string; epoch: number }, kind: OutcomeKind = "success", result: Json = null) =>
    finishAttempt(db, rules, attempt, outcomeOf(kind), result, now());

  return {
    db,
    rules,
    now,
    pass: (seconds) => {
      time += seconds * 1000;
    },
    save: async (definition, hash = "hash") => {
      const bundle = { hash, code: `// ${hash}`, sourceMap: "{}" };
      await saveDagFile(db, { filename: `${definition.dag_id}.ts`, bundle, definitions: [definition] }, now());
    },
    trigger: async (dagId) => {
      const dates = { dag_run_id: `run-${randomUUID()}`, logical_date: null, run_after: null };
      const who = { note: null, triggered_by: "test" as const, user: null };
      return createManualRun(db, { dag_id: dagId, ...dates, conf: {}, params: {}, ...who }, now());
    },
    settle,
    launch,
    start,
    finish,
    workThrough: async (work = () => ({ kind: "success" })) => {
      const worked: StartedAttempt[] = [];
      for (;;) {
        await settle();
        const launched = await launch();
        if (launched.length === 0) return worked;
        for (const { attempt_id } of launched) {
          const started = await start(attempt_id);
          const { kind, result = null } = work(started);
          await finish(started, kind, result);
          worked.push(started);
        }
      }
    },
    states: async (runId) => {
      const { rows } = await db.query<{ task_id: string; state: string | null }>({
        text: "select task_id, state from task_instance where run_id = $1 order by task_id",
        values: [runId],
      });
      return Object.fromEntries(rows.map((row) => [row.task_id, row.state]));
    },
    runState: async (runId) => {
      const { rows } = await db.query<{ state: string }>({
        text: "select state from dag_run where id = $1",
        values: [runId],
      });
      return rows[0]?.state ?? "missing";
    },
    close: async () => {
      await db.close();
      await drop();
    },
  };
}

export function outcomeOf(kind: OutcomeKind): Outcome {
  return { kind, reason: `it ended as ${kind}`, exit_code: null, error: null };
}

/** A task that reads the results of its upstream under their names. */
export function taskOf(taskId: string, upstream: string[] = [], more: Partial<TaskDefinition> = {}): TaskDefinition {
  return {
    task_id: taskId,
    kind: "function",
    upstream,
    trigger_rule: "all_success",
    inputs: Object.fromEntries(upstream.map((id) => [id, { kind: "result", task_id: id, path: [] }])),
    retries: 0,
    retry_delay: 0,
    execution_timeout: null,
    pod: null,
    container: null,
    description: null,
    ...more,
  };
}

export function dagOf(dagId: string, tasks: TaskDefinition[], more: Partial<DagDefinition> = {}): DagDefinition {
  return {
    dag_id: dagId,
    description: null,
    tags: [],
    schedule: null,
    start_date: null,
    end_date: null,
    catchup: false,
    max_active_runs: 16,
    max_active_tasks: 1_000,
    params_schema: null,
    is_paused_upon_creation: false,
    tasks,
    ...more,
  };
}
