// The supervisor thread: heartbeats, log shipping, the execution timeout and the report of the end. It shares nothing with
// user code, so that an endless loop on the main thread neither silences the attempt nor outlives its timeout. It alone talks
// to the API after the start, and the first end that it hears of or decides on is the one that counts. When the API stays
// away for the heartbeat timeout, or calls the attempt stale, it ends the process: another attempt may run from then on.

import type { MessagePort } from "node:worker_threads";
import type { FinishRequest, HeartbeatAnswer } from "../contract/execution.ts";
import { WORKER_EXIT } from "../contract/worker-process.ts";
import { GAVE_UP } from "../core/last-words.ts";
import { createMask } from "../core/mask-secrets.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { createApiCaller } from "./call-api.ts";
import type { LogLevel } from "./capture-output.ts";
import { createChildOutput } from "./child-output.ts";
import { endProcess } from "./end-process.ts";
import { reportCancelled, reportFault, reportTimeout } from "./judge-end.ts";
import { readMemoryPeak } from "./memory-peak.ts";
import { maskReport } from "./mask-report.ts";
import { say } from "./say.ts";
import { createLogShipper, type UnnumberedLine } from "./ship-logs.ts";
import {
  type AbortCause,
  CELL,
  type FromSupervisor,
  type SupervisorData,
  type ToSupervisor,
  weighLine,
} from "./supervisor-link.ts";

type Begin = Extract<ToSupervisor, { kind: "begin" }>;

/** How long a task may clean up after its AbortSignal. */
const GRACE_MS = 10_000;
/** A main thread that does not even take the message within this is blocked and cannot clean up. */
const BLOCKED_MS = 1_000;
/** For the main thread's exit handlers, and for a slow machine; its successor is 30 s away. */
const EXIT_GRACE_MS = 5_000;
/** A worker that may have been replaced already has no time for them. */
const FENCED_EXIT_MS = 500;
const FLUSH_MS = 5_000;
/** For what the task's processes have written and nobody has read yet. */
const DRAIN_MS = 1_000;
// setTimeout fires at once above it: 24.8 days.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function superviseAttempt(data: SupervisorData, port: MessagePort, clock: Clock): void {
  const { cells } = data;
  const callApi = createApiCaller(data.address, data.attemptId, clock);
  const timers = new Set<NodeJS.Timeout>();
  let token = "";
  let silentSince = clock.monotonic();
  let timeoutMs = Infinity;
  let mask = createMask([]);
  let wantsMemoryPeak = false;
  let asked: AbortCause | null = null;
  let acknowledged = false;
  let ending = false;
  let over = false;

  const logs = createLogShipper({
    callApi,
    token: () => token,
    clock,
    onStale: (detail) => leaveStale(detail),
  });

  const addOwnLine = (line: UnnumberedLine) =>
    logs.add(line, () => {
      Atomics.add(cells, CELL.shipped, weighLine(line));
      Atomics.notify(cells, CELL.shipped);
    });

  const children = createChildOutput(
    (level: LogLevel, event, onShipped) => logs.add({ timestamp: clock.now().toISOString(), level, event }, onShipped),
    clock,
  );

  const measureMemory = () => {
    const peak = wantsMemoryPeak ? readMemoryPeak() : null;
    return peak === null ? null : { memory_peak: peak };
  };

  const send = (message: FromSupervisor) => port.postMessage(message);

  const after = (ms: number, act: () => void) => {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        act();
      },
      Math.min(Math.max(0, ms), LONGEST_TIMER_MS),
    );
    timers.add(timer);
  };

  const leave = (exitCode: number, graceMs: number) => {
    if (over) return;
    over = true;
    for (const timer of timers) clearTimeout(timer);
    Atomics.store(cells, CELL.over, exitCode + 1);
    Atomics.notify(cells, CELL.over);
    send({ kind: "exit", exitCode });
    setTimeout(endProcess, graceMs);
  };

  const leaveFenced = (cause: "stale" | "unreachable", detail: string) => {
    if (over) return;
    say(detail);
    send({ kind: "abort", cause, reason: detail });
    leave(WORKER_EXIT[cause], cause === "stale" ? FENCED_EXIT_MS : EXIT_GRACE_MS);
  };

  const leaveStale = (detail: string) =>
    leaveFenced("stale", `the attempt is no longer the current one (${detail}); stopping at once`);

  /** Flushes, reports and leaves; the first call counts. */
  const end = async (report: FinishRequest | null, exitCode: number, graceMs: number) => {
    if (ending || over) return;
    ending = true;
    await children.drain(DRAIN_MS);
    const unshipped = await logs.flush(FLUSH_MS);
    if (unshipped > 0) say(`${unshipped} log lines could not be shipped within ${FLUSH_MS / 1000} s`);
    leave(report === null ? exitCode : await sendReport(report), graceMs);
  };

  const sendReport = async (report: FinishRequest): Promise<number> => {
    const answer = await callApi({
      method: "POST",
      action: "finish",
      token: () => token,
      body: JSON.stringify({ ...maskReport(report, mask), ...measureMemory() }),
      deadline: clock.monotonic() + timeoutMs,
    });
    switch (answer.kind) {
      case "ok":
        return WORKER_EXIT.reported;
      case "stale":
        say(`the report was refused, the attempt is no longer the current one: ${answer.detail}`);
        return WORKER_EXIT.stale;
      case "away":
        say(`the report could not be delivered: ${answer.detail}`);
        return WORKER_EXIT.unreachable;
      case "refused": {
        say(`the report was refused with ${answer.status}: ${answer.detail}`);
        // A result that the API does not take is the task's failure; a refused failure leaves nothing to say.
        if (report.state !== "success") return WORKER_EXIT.refused;
        return sendReport(reportFault("RefusedResult", `the API refused the result: ${answer.detail}`));
      }
    }
  };

  const ask = (cause: "timeout" | "stop", reason: string, report: FinishRequest) => {
    if (asked !== null || ending || over) return;
    asked = cause;
    send({ kind: "abort", cause, reason });
    if (cause === "timeout") {
      after(BLOCKED_MS, () => {
        if (!acknowledged) void end(report, WORKER_EXIT.internal, 0);
      });
    }
    after(GRACE_MS, () => void end(report, WORKER_EXIT.internal, acknowledged ? FENCED_EXIT_MS : 0));
  };

  const beat = async (intervalMs: number): Promise<void> => {
    while (!over) {
      await clock.sleep(intervalMs);
      const memory = measureMemory();
      const answer = await callApi({
        method: "PUT",
        action: "heartbeat",
        token: () => token,
        body: memory && JSON.stringify(memory),
        deadline: silentSince + timeoutMs,
      });
      if (over) return;
      if (answer.kind === "stale") return leaveStale(answer.detail);
      if (answer.kind !== "ok") {
        lastFault = answer.detail;
        continue;
      }
      silentSince = answer.sentAt;
      // The API is ours and as new as the worker that it starts; nothing here is worth zod's 60 ms.
      const heartbeat = JSON.parse(answer.body) as HeartbeatAnswer;
      if (heartbeat.token !== token) send({ kind: "token", token: heartbeat.token });
      token = heartbeat.token;
      if (heartbeat.stop !== null) ask("stop", heartbeat.stop, reportCancelled(heartbeat.stop, null));
    }
  };

  let lastFault = "it did not answer";
  const watchSilence = () => {
    const left = silentSince + timeoutMs - clock.monotonic();
    if (left > 0) return after(left, watchSilence);
    leaveFenced(
      "unreachable",
      `no heartbeat reached the API at ${data.address} for ${timeoutMs / 1000} s (${lastFault}), ${GAVE_UP}`,
    );
  };

  const begin = (message: Begin) => {
    token = message.token;
    mask = createMask(message.masked);
    timeoutMs = message.timeoutMs;
    wantsMemoryPeak = message.wantsMemoryPeak;
    silentSince = clock.monotonic() - message.silentMs;
    void beat(message.heartbeatMs);
    watchSilence();
    const limit = message.executionTimeoutMs;
    if (limit === null) return;
    const report = reportTimeout(limit / 1000, null);
    const endsAt = clock.monotonic() + limit;
    const watchLimit = () => {
      const left = endsAt - clock.monotonic();
      if (left > 0) after(left, watchLimit);
      else ask("timeout", report.error.message, report);
    };
    watchLimit();
  };

  port.on("message", (message: ToSupervisor) => {
    switch (message.kind) {
      case "begin":
        return begin(message);
      case "line":
        // After what a process has written before: that is read in this turn of the loop.
        if (children.isRead()) setImmediate(addOwnLine, message.line);
        else addOwnLine(message.line);
        return;
      case "catch_up":
        setImmediate(() => {
          Atomics.add(cells, CELL.read, 1);
          Atomics.notify(cells, CELL.read);
        });
        return;
      case "child_output":
        children.read(message.readable.stdout, 1, "info", mask);
        children.read(message.readable.stderr, 2, "error", mask);
        return;
      case "aborted":
        acknowledged = true;
        return;
      case "end":
        return void end(message.report, message.exitCode, EXIT_GRACE_MS);
    }
  });
}
