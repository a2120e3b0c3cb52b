// Every answer above 399 has one shape, RFC 9457. An unexpected error is logged with its cause and not disclosed: the
// request id in the header and in the log connects the two.

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { PROBLEM_TYPE, type Problem } from "../contract/rest.ts";
import { ERRORS, type ErrorCode, type FieldError, isFailure } from "../core/errors.ts";
import { sqlState } from "../store/database.ts";

interface ProblemParts {
  code: ErrorCode;
  status: number;
  detail: string;
  errors: FieldError[];
}

const HIDDEN = "something failed on the server; its log has the cause under this answer's x-request-id";
/** Their details may speak of settings and files of the server. */
const HIDDEN_CODES: ReadonlySet<ErrorCode> = new Set(["internal", "invalid_configuration"]);
const AWAY = "Postgres does not answer; try again";

/** Pure, so that the table of what becomes of which error can be tested. */
export function determineProblem(error: unknown): ProblemParts {
  if (isFailure(error)) {
    const { status } = ERRORS[error.code];
    return HIDDEN_CODES.has(error.code)
      ? internal()
      : { code: error.code, status, detail: error.message, errors: error.errors };
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = WHERE[(error as FastifyError).validationContext ?? "body"] ?? "body";
    const errors = error.validation.flatMap((fault) => listFaults(where, fault));
    const first = errors[0];
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    return {
      code: "invalid_request",
      status: ERRORS.invalid_request.status,
      detail: first ? `${first.path}: ${first.message}${more}` : "the request does not fit its schema",
      errors,
    };
  }
  if (isDatabaseAway(error))
    return { code: "unavailable", status: ERRORS.unavailable.status, detail: AWAY, errors: [] };
  // 22021, 22P05: a NUL character, which Postgres cannot hold in text.
  if (["22021", "22P05"].includes(sqlState(error))) {
    return {
      code: "invalid_request",
      status: 400,
      detail: "the request holds a NUL character, which Postgres cannot store",
      errors: [],
    };
  }
  const status = statusOf(error);
  if (status === 413)
    return {
      code: "payload_too_large",
      status,
      detail: "the request body is larger than this path accepts",
      errors: [],
    };
  // Fastify's own refusals (bad JSON, wrong media type, bad address) speak of the request only.
  if (status >= 400 && status < 500 && error instanceof Error) {
    return { code: status === 404 ? "not_found" : "invalid_request", status, detail: error.message, errors: [] };
  }
  return internal();
}

const internal = (): ProblemParts => ({ code: "internal", status: 500, detail: HIDDEN, errors: [] });

const WHERE: Record<string, string> = { querystring: "query", params: "path", body: "body", headers: "headers" };

interface ValidationFault {
  instancePath: string;
  message?: string | undefined;
  keyword: string;
  params: Record<string, unknown>;
}

function listFaults(where: string, fault: ValidationFault): FieldError[] {
  const path = [where, ...fault.instancePath.split("/").filter((part) => part !== "")].join(".");
  const keys = fault.params["keys"];
  if (fault.keyword === "unrecognized_keys" && Array.isArray(keys)) {
    const what = where === "query" ? "parameter" : "field";
    return keys.map((key) => ({ path: `${path}.${String(key)}`, message: `there is no such ${what}` }));
  }
  return [{ path, message: fault.message ?? "not valid" }];
}

function statusOf(error: unknown): number {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : 500;
}

/** Connections refused, broken or used up: the same request works when Postgres is back. */
function isDatabaseAway(error: unknown): boolean {
  const code = sqlState(error);
  if (
    /^(08|57P0[123]|53300)/.test(code) ||
    ["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EPIPE", "ETIMEDOUT"].includes(code)
  )
    return true;
  // pg gives these two no code.
  return (
    error instanceof Error && /^(timeout exceeded when trying to connect|Connection terminated)/.test(error.message)
  );
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, parts: ProblemParts): FastifyReply {
  const answer: Problem = {
    type: `urn:windlass:problem:${parts.code}`,
    title: ERRORS[parts.code].title,
    status: parts.status,
    detail: parts.detail,
    instance: pathOf(request),
    code: parts.code,
    errors: parts.errors,
  };
  return reply.code(parts.status).type(PROBLEM_TYPE).send(JSON.stringify(answer));
}

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const parts = determineProblem(error);
  if (parts.status >= 500)
    request.log.error({ err: error, method: request.method, path: pathOf(request) }, "request failed");
  return sendProblem(request, reply, parts);
}

/** Without the query, which may hold what a log must not. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? request.url;
}
