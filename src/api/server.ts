// The HTTP server: the REST API for people, the execution API for workers, probes and metrics. It keeps nothing: Postgres
// is authoritative, and any number of these may run side by side. When Postgres is away, requests answer 503 and /livez
// stays green; whatever goes wrong is a problem document (problem.ts), and its cause is in the log alone.

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import swagger from "@fastify/swagger";
import { type FastifyBaseLogger, fastify, LogController } from "fastify";
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { EXECUTION_PREFIX } from "../contract/execution.ts";
import { REST_PREFIX } from "../contract/rest.ts";
import { failure, messageOf } from "../core/errors.ts";
import type { Service } from "../lifecycle/service.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { addArtifactRoutes } from "./artifact-routes.ts";
import { addAssetRoutes } from "./asset-routes.ts";
import { createAuthentication, readBearer } from "./authentication.ts";
import { addConnectionRoutes } from "./connection-routes.ts";
import { addBackfillRoutes } from "./backfill-routes.ts";
import { addCallbackRoutes } from "./callback-routes.ts";
import { addDagRoutes } from "./dag-routes.ts";
import { addDagRunRoutes } from "./dag-run-routes.ts";
import { addDagVersionRoutes } from "./dag-version-routes.ts";
import { addEventLogRoutes } from "./event-log-routes.ts";
import { addExecutionRoutes } from "./execution-routes.ts";
import { addExplainRoutes } from "./explain-routes.ts";
import { observeRequests } from "./http-metrics.ts";
import { addInstallationRoutes } from "./installation-routes.ts";
import { addInstanceInterventionRoutes } from "./instance-intervention-routes.ts";
import { addLogRoutes } from "./log-routes.ts";
import { findForeignSign } from "./loopback-guard.ts";
import { addNextRunRoutes } from "./next-run-routes.ts";
import { describeApi, describeRoute, keepUsedSchemas } from "./openapi.ts";
import { addPoolRoutes } from "./pool-routes.ts";
import { addProbeRoutes } from "./probe-routes.ts";
import { handleError, pathOf, sendProblem } from "./problem.ts";
import { parseQueryString } from "./query-string.ts";
import { addRerunRoutes } from "./rerun-routes.ts";
import { addResultRoutes } from "./result-routes.ts";
import { addRunInterventionRoutes } from "./run-intervention-routes.ts";
import { addSignInRoutes } from "./sign-in-routes.ts";
import { addTaskInstanceRoutes } from "./task-instance-routes.ts";
import { addVariableRoutes } from "./variable-routes.ts";
import { addWaitRoutes } from "./wait-routes.ts";

export type { ApiOptions } from "./api-server.ts";

const BODY_LIMIT = 1024 * 1024;
/** An id has at most 250 characters, each of which may be three in a path. */
const MAX_PATH_PART = 750;
const SAFE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,100}$/;

/** Answers are for programs; should a browser show one, it may do nothing with it. */
const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

export async function createApi(options: ApiOptions): Promise<ApiServer> {
  const { access, clock } = options;
  const logger: FastifyBaseLogger = options.log;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    trustProxy: options.trustedProxies.length > 0 ? options.trustedProxies : false,
    genReqId: chooseRequestId,
    routerOptions: { maxParamLength: MAX_PATH_PART, querystringParser: parseQueryString },
    frameworkErrors: (error, request, reply) => {
      handleError(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  // The types hold answers to their schemas, and tests parse them; walking them once more for each request buys nothing.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, {
      code: "not_found",
      status: 404,
      detail: `there is nothing at ${request.method} ${pathOf(request)}`,
      errors: [],
    }),
  );
  app.decorateRequest("user", null);
  app.addHook("onRequest", async (request, reply) => {
    void reply.headers({ ...SECURITY_HEADERS, "x-request-id": request.id });
    if (access.kind === "open") {
      const reason = findForeignSign(request.method, request.headers);
      if (reason !== null) throw failure("forbidden", reason);
    }
  });
  app.addHook("onRoute", describeRoute);
  observeRequests(app, options.metrics);
  await app.register(swagger, {
    openapi: describeApi(options.version),
    transform: jsonSchemaTransform,
    transformObject: keepUsedSchemas,
  });

  const authentication =
    access.kind === "password"
      ? createAuthentication({ passwordDigest: access.digest, key: options.signingKey, clock })
      : null;
  addProbeRoutes(app, options);
  addSignInRoutes(app, authentication, clock);
  app.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) =>
    reply.type("application/json").send(JSON.stringify(app.swagger())),
  );

  await app.register(
    async (rest: ApiServer) => {
      rest.addHook("onRequest", async (request, reply) => {
        if (!authentication || request.routeOptions.config.open === true) return;
        void reply.header("www-authenticate", "Bearer");
        request.user = await authentication.verify(readBearer(request.headers.authorization));
        void reply.removeHeader("www-authenticate");
      });
      addDagRoutes(rest, options);
      addDagRunRoutes(rest, options);
      addNextRunRoutes(rest, options);
      addBackfillRoutes(rest, options);
      addTaskInstanceRoutes(rest, options);
      addExplainRoutes(rest, options);
      addInstanceInterventionRoutes(rest, options);
      addRunInterventionRoutes(rest, options);
      addRerunRoutes(rest, options);
      addEventLogRoutes(rest, options);
      addDagVersionRoutes(rest, options);
      addWaitRoutes(rest, options);
      addCallbackRoutes(rest, options);
      addLogRoutes(rest, options);
      addResultRoutes(rest, options);
      addInstallationRoutes(rest, options);
      addArtifactRoutes(rest, options);
      addVariableRoutes(rest, options);
      addConnectionRoutes(rest, options);
      addPoolRoutes(rest, options);
      addAssetRoutes(rest, options);
    },
    { prefix: REST_PREFIX },
  );
  await app.register(async (execution: ApiServer) => addExecutionRoutes(execution, options), {
    prefix: EXECUTION_PREFIX,
  });
  await app.ready();
  return app;
}

/** A caller's own id is kept if it is harmless, so that one id follows a request through several systems. */
function chooseRequestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && SAFE_REQUEST_ID.test(given) ? given : randomUUID();
}

export interface ApiService extends Service {
  /** The base address it answers at; null unless it listens. */
  address(): string | null;
}

/** Errors of start: invalid_configuration, when the address cannot be had. */
export function createApiService(options: ApiOptions & { host: string; port: number }): ApiService {
  const { host, port } = options;
  let app: ApiServer | null = null;
  let address: string | null = null;
  return {
    name: "api",
    address: () => address,
    start: async () => {
      app = await createApi(options);
      try {
        address = await app.listen({ host, port });
      } catch (error) {
        throw failure("invalid_configuration", `cannot listen on ${host}:${port}: ${describeListenError(error)}`, {
          cause: error,
        });
      }
      options.log.info({ address }, "the API listens");
    },
    stop: async () => {
      address = null;
      // Ends idle connections, and waits for answers that are under way.
      await app?.close();
      app = null;
    },
  };
}

function describeListenError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "EADDRINUSE") return "another process uses this port; stop it or choose another port";
  if (code === "EACCES") return "this user may not use this port; choose one above 1023";
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return "this machine has no such address";
  return messageOf(error);
}
