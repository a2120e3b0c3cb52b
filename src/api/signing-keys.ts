// The keys that sign tokens: made once by the first process that needs them, the same for all processes.

import { randomBytes } from "node:crypto";
import type { Database } from "../store/database.ts";
import { loadSecret } from "../store/settings.ts";

export interface SigningKeys {
  /** Of people's tokens. */
  rest: string;
  /** Of workers' tokens. */
  execution: string;
}

export async function loadSigningKeys(db: Database, now: Date): Promise<SigningKeys> {
  const make = () => randomBytes(32).toString("base64url");
  return {
    rest: await loadSecret(db, "rest_signing_key", make, now),
    execution: await loadSecret(db, "execution_signing_key", make, now),
  };
}
