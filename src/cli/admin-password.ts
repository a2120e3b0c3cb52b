// The admin's password: the one of the environment, or one that is made at the very first start and printed that once. Of the
// latter only a digest is kept, so that several API processes agree on it and nobody can read it back; with 120 random bits
// a plain digest is as good as a slow one.

import { randomBytes } from "node:crypto";
import { digestPassword } from "../api/authentication.ts";
import type { ApiOptions } from "../api/server.ts";
import { systemClock } from "../lifecycle/clock.ts";
import type { Database } from "../store/database.ts";
import { loadSecret } from "../store/settings.ts";
import type { Role } from "./compose.ts";

export async function chooseAdminAccess(
  { configuration }: Role,
  db: Database,
  print: (text: string) => void,
): Promise<ApiOptions["access"]> {
  const given = configuration.WINDLASS_ADMIN_PASSWORD;
  if (given !== undefined) return { kind: "password", digest: digestPassword(given) };
  const made = randomBytes(15).toString("base64url");
  const digest = await loadSecret(db, "admin_password_digest", () => digestPassword(made), systemClock.now());
  if (digest === digestPassword(made)) {
    print(
      `The password of the user "admin" is ${made} - it is shown this once; WINDLASS_ADMIN_PASSWORD sets your own.`,
    );
  }
  return { kind: "password", digest };
}
