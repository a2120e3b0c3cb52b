// One call of a task's own function, as its worker would make it: what it returns must be JSON, what it throws is its end.

import { determineOutcome } from "../api/finish-outcome.ts";
import { type ConsumedEvent, type EmittedEvent, planAssetEvents } from "../core/asset-events.ts";
import type { TaskDefinition } from "../core/definition.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { findLackingSecret, pickDeclared } from "../core/lacking-secret.ts";
import type { Outcome } from "../core/outcome.ts";
import type { AttemptRunner } from "../dags/run-in-process.ts";
import type { Artifacts } from "../sdk/artifacts.ts";
import type { CompiledFunction } from "../sdk/compiled.ts";
import type { TaskSecrets } from "../sdk/task-secrets.ts";
import { createAssetEmitter } from "../worker/asset-emitter.ts";
import { encodeResult } from "../worker/encode-result.ts";
import { judgeThrown, reportFault, reportTimeout } from "../worker/judge-end.ts";

export interface Ended extends Awaited<ReturnType<AttemptRunner>> {
  /** Of a success: those of the task's outlets. */
  events?: EmittedEvent[];
}

export interface CallSurroundings {
  secrets: TaskSecrets<string, string>;
  /** How to give the ones that are missing. */
  secretsHint: string;
  artifacts: Artifacts;
  /** What started the run. */
  assetEvents: readonly ConsumedEvent[];
  /** An error's stack in terms of the author's files; null: they are not in it. */
  mapStack: (stack: string) => string | null;
}

export async function callTask(
  task: TaskDefinition,
  run: CompiledFunction,
  inputs: JsonObject,
  runtime: Parameters<AttemptRunner>[2],
  { secrets, secretsHint, artifacts, assetEvents, mapStack }: CallSurroundings,
): Promise<Ended> {
  const lacking = findLackingSecret(task, secrets);
  if (lacking !== null) {
    const report = reportFault("MissingSecret", `${lacking}; here, ${secretsHint}`);
    return { outcome: determineOutcome(report, null), result: null };
  }
  const timeout = task.execution_timeout;
  const signal = timeout === null ? new AbortController().signal : AbortSignal.timeout(timeout * 1000);
  try {
    const timedOut = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const { assets, emitted } = createAssetEmitter(task);
    const variables = pickDeclared(task.variables, secrets.variables);
    const connections = pickDeclared(task.connections, secrets.connections);
    const given = { ...runtime, variables, connections, artifacts, assets, asset_events: assetEvents, signal };
    const value = await Promise.race([run(inputs, given), timedOut]);
    const result: Json = JSON.parse(encodeResult(value));
    const outcome: Outcome = { kind: "success", reason: "", exit_code: null, error: null };
    return { outcome, result, events: planAssetEvents(task, emitted) };
  } catch (error) {
    const outcome = signal.aborted && timeout !== null ? describeTimeout(timeout) : describeError(error, mapStack);
    return { outcome, result: null };
  }
}

export function describeTimeout(seconds: number): Outcome {
  return determineOutcome(reportTimeout(seconds, null), null);
}

/** What a thrown error makes of an attempt. */
export function describeError(error: unknown, mapStack: CallSurroundings["mapStack"]): Outcome {
  const report = judgeThrown(error, null);
  // Nothing from outside has ended it.
  if (!report) throw new Error("an error was not judged", { cause: error });
  const stack = report.state === "failed" ? report.error.stack : null;
  return determineOutcome(report, stack === null ? null : mapStack(stack));
}
