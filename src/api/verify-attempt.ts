// Whose call this is: the attempt that the token is bound to, and no other.

import type { FastifyRequest } from "fastify";
import { failure } from "../core/errors.ts";
import { readBearer } from "./authentication.ts";
import type { ExecutionTokens, TokenScope, VerifiedAttempt } from "./execution-tokens.ts";

/** Errors: unauthenticated, forbidden. */
export async function verifyAttempt(
  tokens: ExecutionTokens,
  request: FastifyRequest,
  attemptId: string,
  scope: TokenScope,
): Promise<VerifiedAttempt & { token: string }> {
  const token = readBearer(request.headers.authorization);
  const attempt = await tokens.verify(token, scope);
  if (attempt.attempt_id !== attemptId) throw failure("forbidden", "this token belongs to another attempt");
  return { ...attempt, token };
}
