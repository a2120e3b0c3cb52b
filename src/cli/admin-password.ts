// The admin's password: the one of the environment, or one that is made at the very first start and printed that once. Only a
// hash of the latter is kept, so that several API processes agree on it and nobody can read it back.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { ApiOptions } from "../api/server.ts";
import { systemClock } from "../lifecycle/clock.ts";
import type { Database } from "../store/database.ts";
import { loadSecret } from "../store/settings.ts";
import type { Role } from "./compose.ts";

const derive = promisify<string, Buffer, number, Buffer>(scrypt);
const KEY_BYTES = 32;

export async function chooseAdminAccess(role: Role, db: Database, print: (text: string) => void): Promise<ApiOptions["access"]> {
  const given = role.configuration.WINDLASS_ADMIN_PASSWORD;
  if (given !== undefined) return { kind: "password", check: await createCheck(await hashPassword(given)) };
  const made = randomBytes(15).toString("base64url");
  const madeHash = await hashPassword(made);
  const kept = await loadSecret(db, "admin_password_hash", () => madeHash, systemClock.now());
  if (kept === madeHash) {
    print(`The password of the user "admin" is ${made} - it is shown this once; WINDLASS_ADMIN_PASSWORD sets your own.`);
  }
  return { kind: "password", check: await createCheck(kept) };
}

async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString("base64url")}.${(await derive(password, salt, KEY_BYTES)).toString("base64url")}`;
}

async function createCheck(hash: string): Promise<(password: string) => Promise<boolean>> {
  const [salt = "", key = ""] = hash.split(".");
  const expected = Buffer.from(key, "base64url");
  return async (password) => timingSafeEqual(await derive(password, Buffer.from(salt, "base64url"), KEY_BYTES), expected);
}
