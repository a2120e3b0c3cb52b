// POST /auth/token: the password for a token, at a pace that makes guessing hopeless.

import { TOKEN_PATH, tokenAnswer, tokenRequest } from "../contract/rest-installation.ts";
import { failure } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { ApiServer } from "./api-server.ts";
import type { Authentication } from "./authentication.ts";
import { createFailureLimiter } from "./failure-limiter.ts";

/** @param authentication null: an open installation, which gives no tokens because it asks for none */
export function addSignInRoutes(app: ApiServer, authentication: Authentication | null, clock: Clock): void {
  const limiter = createFailureLimiter();
  app.post(
    TOKEN_PATH,
    {
      bodyLimit: 16 * 1024,
      schema: {
        tags: ["Login"],
        security: [],
        operationId: "create_token",
        summary: "Sign in",
        body: tokenRequest,
        response: { 201: tokenAnswer },
      },
    },
    async ({ body, ip, log }, reply) => {
      if (!authentication)
        throw failure("forbidden", "this installation is open: it needs no token and has no password");
      const now = clock.monotonic();
      const wait = limiter.waitOf(ip, now);
      if (wait > 0) {
        const seconds = Math.ceil(wait / 1000);
        void reply.header("retry-after", String(seconds));
        throw failure("rate_limited", `too many wrong passwords from this address; wait ${seconds} s`);
      }
      // Nothing is awaited between the look at the limit and the count, so that a burst cannot slip past.
      if (!authentication.isAdmin(body.username, body.password)) {
        limiter.recordFailure(ip, now);
        log.warn({ ip }, "sign-in refused");
        throw failure("unauthenticated", "wrong username or password");
      }
      return reply.code(201).send(await authentication.issueToken());
    },
  );
}
