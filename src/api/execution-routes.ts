// The execution API: all that a worker may ask and say, each call bound by its token to one attempt. Postgres decides
// whether that attempt still is the current one; a stale one hears 409 and stops itself.

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import {
  finishRequest,
  type FinishRequest,
  type HeartbeatAnswer,
  heartbeatRequest,
  logRequest,
  MAX_RESULT_BYTES,
  resultRequest,
  type StartAnswer,
  startRequest,
} from "../contract/execution.ts";
import { type EmittedEvent, MAX_EMITTED_BYTES } from "../core/asset-events.ts";
import { isStorable } from "../core/clean-text.ts";
import { failure, isFailure } from "../core/errors.ts";
import { finishAttempt } from "../store/attempt-finish.ts";
import { startAttempt } from "../store/attempt-start.ts";
import { keepContainerResult } from "../store/container-results.ts";
import { recordHeartbeat, releaseQuarantine } from "../store/heartbeats.ts";
import { appendLogs } from "../store/logs.ts";
import { readAttemptBundle } from "../store/read-attempts.ts";
import { readTaskSecrets } from "../store/task-secrets.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { addArtifactExchange } from "./artifact-exchange.ts";
import type { TokenScope } from "./execution-tokens.ts";
import { determineOutcome } from "./finish-outcome.ts";
import { verifyAttempt } from "./verify-attempt.ts";

const attemptPath = z.strictObject({ attempt_id: z.uuid() });

/** A batch of log lines; the worker's batches are far smaller. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** The result, or an error's message and stack as escaped JSON. */
const MAX_FINISH_BYTES = MAX_RESULT_BYTES + 512 * 1024;

export function addExecutionRoutes(app: ApiServer, options: ApiOptions): void {
  const { db, clock, executionTokens } = options;
  const hide = true;

  const requireAttempt = (request: FastifyRequest, attemptId: string, scope: TokenScope) =>
    verifyAttempt(executionTokens, request, attemptId, scope);
  addArtifactExchange(app, options);

  app.post(
    "/attempts/:attempt_id/start",
    { bodyLimit: 16 * 1024, schema: { hide, params: attemptPath, body: startRequest } },
    async (request, reply) => {
      const { attempt_id } = await requireAttempt(request, request.params.attempt_id, "launch");
      const started = await startAttempt(db, options.rules.versions, { attempt_id, ...request.body }, clock.now());
      const answer: StartAnswer = {
        token: await executionTokens.issueExecutionToken(started),
        heartbeat_interval: options.heartbeatInterval,
        heartbeat_timeout: options.heartbeatTimeout,
        execution_timeout: started.execution_timeout,
        context: started.context,
        inputs: started.inputs,
        params: started.params,
        ...(started.asset_events.length > 0 && { asset_events: started.asset_events }),
        ...(started.own_container && { wants_memory_peak: true as const }),
        ...(await readTaskSecrets(db, options.sealer, started)),
        bundle: { hash: started.bundle.hash, code: started.bundle.code },
      };
      // The hot path: no schema walks the bundle's text.
      return reply.type("application/json").send(JSON.stringify(answer));
    },
  );

  app.put(
    "/attempts/:attempt_id/heartbeat",
    { schema: { hide, params: attemptPath, body: heartbeatRequest } },
    async (request): Promise<HeartbeatAnswer> => {
      const attempt = await requireAttempt(request, request.params.attempt_id, "execution");
      const seen = { ...attempt, memory_peak: request.body?.memory_peak ?? null };
      const { stop } = await recordHeartbeat(db, seen, clock.now()).catch(async (error: unknown) => {
        if (isFailure(error, "attempt_stale")) await releaseQuarantine(db, attempt.attempt_id, clock.now());
        throw error;
      });
      return { token: attempt.renewable ? await executionTokens.issueExecutionToken(attempt) : attempt.token, stop };
    },
  );

  app.post(
    "/attempts/:attempt_id/logs",
    { bodyLimit: MAX_LOG_BYTES, schema: { hide, params: attemptPath, body: logRequest } },
    async (request, reply) => {
      const attempt = await requireAttempt(request, request.params.attempt_id, "execution");
      await appendLogs(db, attempt, request.body.lines);
      return reply.code(204).send();
    },
  );

  app.post(
    "/attempts/:attempt_id/finish",
    { bodyLimit: MAX_FINISH_BYTES, schema: { hide, params: attemptPath, body: finishRequest } },
    async (request, reply) => {
      const attempt = await requireAttempt(request, request.params.attempt_id, "execution");
      const report = request.body;
      const result = report.state === "success" ? report.result : undefined;
      if (result !== undefined) refuseLargeResult(JSON.stringify(result));
      if (report.state === "success") refuseUnstorableEvents(report.asset_events ?? []);
      const outcome = determineOutcome(report, await mapReportedStack(request, attempt.attempt_id, report));
      await finishAttempt(
        db,
        options.rules,
        { attempt_id: attempt.attempt_id, epoch: attempt.epoch, memory_peak: report.memory_peak ?? null },
        outcome,
        result,
        clock.now(),
        report.state === "success" ? report.asset_events : [],
      );
      return reply.code(204).send();
    },
  );

  app.post(
    "/attempts/:attempt_id/result",
    { bodyLimit: MAX_FINISH_BYTES, schema: { hide, params: attemptPath, body: resultRequest } },
    async (request, reply) => {
      const attempt = await requireAttempt(request, request.params.attempt_id, "result");
      refuseLargeResult(JSON.stringify(request.body.result));
      await keepContainerResult(db, attempt, request.body.result);
      return reply.code(204).send();
    },
  );

  /** A stack that cannot be mapped is kept as it came: it must not cost the report. */
  async function mapReportedStack(
    request: FastifyRequest,
    attemptId: string,
    report: FinishRequest,
  ): Promise<string | null> {
    if (report.state !== "failed" || report.error.stack === null) return null;
    const bundleHash = await readAttemptBundle(db, attemptId);
    if (bundleHash === null) return report.error.stack;
    try {
      return await options.mapStack(bundleHash, report.error.stack);
    } catch (error) {
      request.log.warn({ err: error, bundle: bundleHash }, "a stack cannot be mapped to its source");
      return report.error.stack;
    }
  }
}

function refuseLargeResult(text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_RESULT_BYTES) {
    throw failure(
      "payload_too_large",
      `the result has ${bytes} bytes as JSON, at most ${MAX_RESULT_BYTES} are kept; write it with runtime.artifacts and return what that gives`,
    );
  }
}

/** What the worker of this release says itself, where the author's code can see it. */
function refuseUnstorableEvents(events: readonly EmittedEvent[]): void {
  const bytes = Buffer.byteLength(JSON.stringify(events));
  if (bytes > MAX_EMITTED_BYTES) {
    throw failure("payload_too_large", `the asset events have ${bytes} bytes as JSON, at most ${MAX_EMITTED_BYTES}`);
  }
  if (!events.every((event) => isStorable(event.extra))) {
    throw failure("invalid_request", "asset_events hold a NUL character or half a surrogate pair");
  }
}
