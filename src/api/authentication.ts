// Who may use the REST API: one admin, who trades a password for a bearer token of 24 hours.

import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import type { TokenAnswer } from "../contract/rest-installation.ts";
import { failure } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";

const ADMIN = "admin";
const ISSUER = "windlass";
const AUDIENCE = "urn:windlass:rest";
const LIFETIME_SECONDS = 24 * 3600;
const TOLERANCE_SECONDS = 10;

export interface Authentication {
  isAdmin(username: string, password: string): boolean;
  issueToken(): Promise<TokenAnswer>;
  /** The user's name. Errors: unauthenticated. */
  verify(token: string): Promise<string>;
}

/** What is kept and compared of a password: its SHA-256, hex. */
export function digestPassword(password: string): string {
  return createHash("sha256").update(password).digest("hex");
}

/** @param options.passwordDigest of the admin's password, see digestPassword */
export function createAuthentication(options: { passwordDigest: string; key: string; clock: Clock }): Authentication {
  const { passwordDigest, clock } = options;
  // The password goes into the key, so that a new password ends the tokens that the old one bought.
  const key = createHmac("sha256", options.key).update(passwordDigest).digest();
  return {
    isAdmin: (username, given) => {
      // Both are compared, whatever comes out first: the time taken tells nothing.
      const rightName = equalTexts(username, ADMIN);
      const rightPassword = equalTexts(digestPassword(given), passwordDigest);
      return rightName && rightPassword;
    },
    issueToken: async () => {
      const now = Math.floor(clock.now().getTime() / 1000);
      const token = await new SignJWT()
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(ADMIN)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + LIFETIME_SECONDS)
        .sign(key);
      return { access_token: token, token_type: "bearer", expires_in: LIFETIME_SECONDS };
    },
    verify: async (token) => {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ["sub", "exp", "jti"],
          clockTolerance: TOLERANCE_SECONDS,
          currentDate: clock.now(),
        });
        return payload.sub ?? ADMIN;
      } catch (error) {
        throw failure(
          "unauthenticated",
          "this token is not valid or has expired: get a new one from POST /auth/token",
          {
            cause: error,
          },
        );
      }
    },
  };
}

function equalTexts(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** The token of an `Authorization: Bearer …` header. Errors: unauthenticated. */
export function readBearer(header: string | undefined): string {
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(header ?? "")?.[1];
  if (token === undefined) throw failure("unauthenticated", "send a token in the header: Authorization: Bearer …");
  return token;
}
