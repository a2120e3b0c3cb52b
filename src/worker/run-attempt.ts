// One attempt, from the start call to the exit code. The main thread makes the start call, loads the bundle and runs the
// task's function; the supervisor thread (supervise.ts) does everything that must go on while user code blocks this one.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { StartAnswer, StartRequest } from "../contract/execution.ts";
import { WORKER_EXIT } from "../contract/worker-process.ts";
import { messageOf } from "../core/errors.ts";
import { findLackingSecret } from "../core/lacking-secret.ts";
import { createMask } from "../core/mask-secrets.ts";
import { loadBundle } from "../dags/load-bundle.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CompiledFunction, TaskRuntime } from "../sdk/compiled.ts";
import { createArtifactCalls } from "./artifact-calls.ts";
import { createArtifacts } from "./artifacts.ts";
import { type AssetEmitter, createAssetEmitter } from "./asset-emitter.ts";
import { say } from "./say.ts";
import { findTaskFunction } from "./task-function.ts";
import { createApiCaller } from "./call-api.ts";
import { captureOutput } from "./capture-output.ts";
import { pipeChildren } from "./child-pipes.ts";
import { encodeResult } from "./encode-result.ts";
import { type Aborted, judgeThrown, reportExit, reportFault } from "./judge-end.ts";
import { maskReport } from "./mask-report.ts";
import { type AbortCause, startSupervisor, type SupervisorLink } from "./supervisor-link.ts";

export interface WorkerSettings {
  address: string;
  attemptId: string;
  launchToken: string;
  /** The module that a thread of this process is started from. */
  entry: URL;
  /** That of commands which the task runs. */
  environment: NodeJS.ProcessEnv;
}

/** How long the API may be away before the attempt is given up unstarted; the scheduler's own limit is longer. */
const START_PATIENCE_MS = 300_000;

export async function runAttempt(settings: WorkerSettings, clock: Clock): Promise<void> {
  const { address, attemptId } = settings;
  const exit = process.exit.bind(process);
  // Before anything that takes time: PID 1 of a pod gets no signal that it has no handler for.
  const aborting = createAborting();
  aborting.onSignal(() => exit(WORKER_EXIT.terminated));

  const callApi = createApiCaller(address, attemptId, clock);
  const request: StartRequest = { worker_id: createWorkerId(), hostname: hostname(), pid: process.pid };
  const starting = callApi({
    method: "POST",
    action: "start",
    token: () => settings.launchToken,
    body: JSON.stringify(request),
    deadline: clock.monotonic() + START_PATIENCE_MS,
  });
  // The thread boots (14 ms) while the call is under way.
  const link: SupervisorLink = startSupervisor(settings.entry, address, attemptId, {
    onMessage: (message) => {
      switch (message.kind) {
        case "abort":
          link.send({ kind: "aborted" });
          return aborting.abort(message.cause, message.reason);
        case "token":
          token = message.token;
          return;
        case "exit":
          return exit(message.exitCode);
      }
    },
    onDeath: (error) => {
      say(`the supervisor thread died: ${messageOf(error)}`);
      exit(WORKER_EXIT.internal);
    },
  });

  let token = "";
  const answer = await starting;
  switch (answer.kind) {
    case "ok":
      break;
    case "stale":
      say(`the start was refused: ${answer.detail}`);
      return exit(WORKER_EXIT.stale);
    case "refused":
      say(`the start was refused with ${answer.status}: ${answer.detail}`);
      return exit(WORKER_EXIT.refused);
    case "away":
      say(`the API at ${address} could not be reached within ${START_PATIENCE_MS / 1000} s: ${answer.detail}`);
      return exit(WORKER_EXIT.unreachable);
  }
  // The API is ours and as new as the worker that it starts; nothing here is worth zod's 60 ms.
  const start = JSON.parse(answer.body) as StartAnswer;
  link.send({
    kind: "begin",
    token: start.token,
    heartbeatMs: start.heartbeat_interval * 1000,
    timeoutMs: start.heartbeat_timeout * 1000,
    executionTimeoutMs: start.execution_timeout === null ? null : start.execution_timeout * 1000,
    masked: start.masked ?? [],
    wantsMemoryPeak: start.wants_memory_peak ?? false,
    silentMs: clock.monotonic() - answer.sentAt,
  });
  token = start.token;
  const { signal } = aborting;
  const artifacts = createArtifacts(createArtifactCalls({ address, attemptId, token: () => token, signal, clock }));
  runTask(start, { artifacts, signal }, settings.environment, link, aborting, exit);
}

function runTask(
  start: StartAnswer,
  tools: Pick<TaskRuntime, "artifacts" | "signal">,
  environment: NodeJS.ProcessEnv,
  link: SupervisorLink,
  aborting: Aborting,
  exit: (code: number) => never,
): void {
  const mask = createMask(start.masked ?? []);
  const flushOutput = captureOutput(link.sendLine, mask);
  const children = pipeChildren({
    onOpen: (readable) => link.send({ kind: "child_output", readable }),
    onFault: (reason) =>
      link.sendLine("error", `[windlass] what processes write by "inherit" is not in this log: ${reason}`),
    catchUp: link.catchUp,
  });
  let ended = false;

  const end = (report: Parameters<SupervisorLink["send"]>[0] & { kind: "end" }) => {
    if (ended) return;
    ended = true;
    link.hold(true);
    flushOutput();
    children.close();
    link.closeLines();
    link.send({ ...report, report: report.report && maskReport(report.report, mask) });
  };
  const fail = (thrown: unknown) => {
    if (ended) return;
    const aborted = aborting.current();
    const known = aborted && { ...aborted, executionTimeout: start.execution_timeout };
    let report;
    try {
      report = judgeThrown(thrown, known);
    } catch (error) {
      report = reportFault("UnreadableError", `what the task threw cannot be read: ${messageOf(error)}`);
    }
    end({ kind: "end", report, exitCode: WORKER_EXIT.terminated });
  };
  let emitter: AssetEmitter | null = null;
  const succeed = (value: unknown) => {
    if (ended) return;
    try {
      const result = JSON.parse(encodeResult(value));
      const events = emitter?.emitted ?? [];
      const report = { state: "success" as const, result, ...(events.length > 0 && { asset_events: [...events] }) };
      end({ kind: "end", report, exitCode: WORKER_EXIT.internal });
    } catch (error) {
      fail(error);
    }
  };

  aborting.onSignal(() => {});
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("beforeExit", () => {
    fail(
      new Error(
        "the task's function never settles: it waits for something, but nothing is under way that could bring it",
      ),
    );
  });
  process.exit = (code) => {
    const number = Number(code ?? process.exitCode ?? 0);
    end({ kind: "end", report: reportExit(number, new Error(`process.exit(${number})`).stack ?? null), exitCode: 0 });
    // It must not return, and user code must not go on: this thread stands still until the end is reported.
    return exit(link.waitUntilOver());
  };

  link.hold(false);
  try {
    const run = findFunction(start);
    if (run === null || emitter === null) return;
    const { context, params, variables = {}, connections = {}, asset_events = [] } = start;
    const { assets } = emitter;
    const runtime = { ...context, params, variables, connections, asset_events, assets, ...tools };
    Promise.resolve(run(start.inputs, runtime)).then(succeed, fail);
  } catch (error) {
    fail(error);
  }

  function findFunction({ bundle, context }: StartAnswer): CompiledFunction | null {
    const dag = loadBundle(bundle.code).find((each) => each.definition.dag_id === context.dag_id);
    const task = dag?.definition.tasks.find(({ task_id }) => task_id === context.task_id);
    emitter = createAssetEmitter(task);
    const lacking = task ? findLackingSecret(task, start) : null;
    if (lacking !== null) {
      end({ kind: "end", report: reportFault("MissingSecret", lacking), exitCode: 0 });
      return null;
    }
    const run = dag && findTaskFunction(dag, context.task_id, { environment, mask });
    if (run) return run;
    const missing = dag ? `no function for task "${context.task_id}"` : `no DAG "${context.dag_id}"`;
    end({
      kind: "end",
      report: reportFault("BundleMismatch", `the bundle ${bundle.hash} has ${missing}`),
      exitCode: 0,
    });
    return null;
  }
}

interface Aborting {
  signal: AbortSignal;
  abort(cause: AbortCause, reason: string): void;
  current(): Pick<Aborted, "cause" | "reason"> | null;
  /** Replaces what a SIGTERM or SIGINT does beside aborting. */
  onSignal(react: () => void): void;
}

function createAborting(): Aborting {
  const controller = new AbortController();
  let current: { cause: AbortCause; reason: string } | null = null;
  let react = () => {};
  const abort = (cause: AbortCause, reason: string) => {
    if (current !== null) return;
    current = { cause, reason };
    controller.abort(new DOMException(reason, cause === "timeout" ? "TimeoutError" : "AbortError"));
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      react();
      abort("signal", `the worker received ${signal}: its pod or process is being ended from outside`);
    });
  }
  return { signal: controller.signal, abort, current: () => current, onSignal: (next) => (react = next) };
}

/** The kernel's generator: loading node:crypto for one UUID costs 4 ms. */
function createWorkerId(): string {
  return readFileSync("/proc/sys/kernel/random/uuid", "utf8").trim();
}
