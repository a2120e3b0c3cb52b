// The credentials of a worker. The launch token travels in the pod's spec, lives for a day because a pod may wait that
// long for a node, and is good for `start` only, which binds the attempt to one process. The execution token comes with
// the answer to `start`, lives for a quarter of an hour, and heartbeats renew it. The result token is in the pod of a container
// without a worker and may deliver its result, no more. Each names one attempt and nothing else.

import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { failure } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";

export interface AttemptIdentity {
  attempt_id: string;
  epoch: number;
}

export interface VerifiedAttempt extends AttemptIdentity {
  /** Less than half of the token's life is left. */
  renewable: boolean;
}

export interface ExecutionTokens {
  issueLaunchToken(attempt: AttemptIdentity): Promise<string>;
  issueExecutionToken(attempt: AttemptIdentity): Promise<string>;
  issueResultToken(attempt: AttemptIdentity): Promise<string>;
  /** Errors: unauthenticated. */
  verify(token: string, scope: TokenScope): Promise<VerifiedAttempt>;
}

export type TokenScope = "launch" | "execution" | "result";

const ISSUER = "windlass";
const AUDIENCES: Record<TokenScope, string> = {
  launch: "urn:windlass:launch",
  execution: "urn:windlass:execution",
  result: "urn:windlass:result",
};
const LAUNCH_SECONDS = 24 * 3600;
// Ends are rounded up to the hour, so that a create repeated after a crash nearly always carries the same token.
const LAUNCH_GRAIN_SECONDS = 3600;
// Longer than any container may run; the end of its attempt ends what it is good for.
const RESULT_SECONDS = 400 * 86_400;
const EXECUTION_SECONDS = 15 * 60;
const TOLERANCE_SECONDS = 10;

const claims = z.object({ sub: z.uuid(), epoch: z.int(), exp: z.int() });

/** @param key of the installation; see signing-keys.ts */
export function createExecutionTokens(key: string, clock: Clock): ExecutionTokens {
  const secret = new TextEncoder().encode(key);
  const seconds = () => Math.floor(clock.now().getTime() / 1000);
  const sign = (attempt: AttemptIdentity, scope: TokenScope, expiresAt: number) =>
    new SignJWT({ epoch: attempt.epoch })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCES[scope])
      .setSubject(attempt.attempt_id)
      .setExpirationTime(expiresAt)
      .sign(secret);
  return {
    issueLaunchToken: (attempt) =>
      sign(attempt, "launch", Math.ceil((seconds() + LAUNCH_SECONDS) / LAUNCH_GRAIN_SECONDS) * LAUNCH_GRAIN_SECONDS),
    issueExecutionToken: (attempt) => sign(attempt, "execution", seconds() + EXECUTION_SECONDS),
    issueResultToken: (attempt) => sign(attempt, "result", seconds() + RESULT_SECONDS),
    verify: async (token, scope) => {
      try {
        const { payload } = await jwtVerify(token, secret, {
          algorithms: ["HS256"],
          issuer: ISSUER,
          audience: AUDIENCES[scope],
          clockTolerance: TOLERANCE_SECONDS,
          currentDate: clock.now(),
        });
        const { sub, epoch, exp } = claims.parse(payload);
        return { attempt_id: sub, epoch, renewable: exp - seconds() < EXECUTION_SECONDS / 2 };
      } catch (error) {
        throw failure("unauthenticated", `this is not a valid ${scope} token`, { cause: error });
      }
    },
  };
}
