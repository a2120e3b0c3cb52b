// Values that Postgres holds and cannot read: AES-256-GCM under keys of the installation's administrator. The first key
// seals, all of them open, so that keys rotate: put the new one first, run `windlass rotate-keys`, take the old one out.
// A sealed text is bound to its row: moved to another name it does not open.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { failure } from "../core/errors.ts";

export interface Sealer {
  /** @param place names the row, e.g. `variable/bucket`. Errors: encryption_unavailable. */
  seal(value: string, place: string): string;
  /** Errors: encryption_unavailable, when the key is not among ours or the text was tampered with. */
  open(sealed: string, place: string): string;
  /** Whether it was sealed by the first key. */
  isCurrent(sealed: string): boolean;
}

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What is wrong with a key, or null. */
export function findKeyFault(key: string): string | null {
  const bytes = Buffer.from(key, "base64");
  const isBase64 = bytes.toString("base64").replace(/=+$/, "") === key.replace(/=+$/, "");
  if (isBase64 && bytes.length === KEY_BYTES) return null;
  return `a key is ${KEY_BYTES} random bytes in base64; \`openssl rand -base64 ${KEY_BYTES}\` makes one`;
}

/** @param keys base64 of 32 bytes each, the current one first; with none, nothing can be sealed or opened. */
export function createSealer(keys: readonly string[]): Sealer {
  const ring = keys.map((key) => {
    const fault = findKeyFault(key);
    if (fault !== null) throw failure("invalid_configuration", `WINDLASS_ENCRYPTION_KEYS: ${fault}`);
    const bytes = Buffer.from(key, "base64");
    return { id: createHash("sha256").update(bytes).digest("hex").slice(0, 8), bytes };
  });
  const [current] = ring;
  return {
    seal: (text, place) => {
      if (!current) {
        throw failure(
          "encryption_unavailable",
          "variables and connections are stored encrypted and this process has no key; set WINDLASS_ENCRYPTION_KEYS",
        );
      }
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv("aes-256-gcm", current.bytes, iv).setAAD(Buffer.from(place));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return `${current.id}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64")}`;
    },
    open: (sealed, place) => {
      const [id, data = ""] = sealed.split(".");
      const key = ring.find((one) => one.id === id);
      if (!key) {
        throw failure(
          "encryption_unavailable",
          `${place} was sealed with key ${id}, which is not in WINDLASS_ENCRYPTION_KEYS; add that key, or set the value again`,
        );
      }
      const bytes = Buffer.from(data, "base64");
      const tagEnd = IV_BYTES + TAG_BYTES;
      try {
        const decipher = createDecipheriv("aes-256-gcm", key.bytes, bytes.subarray(0, IV_BYTES))
          .setAAD(Buffer.from(place))
          .setAuthTag(bytes.subarray(IV_BYTES, tagEnd));
        return Buffer.concat([decipher.update(bytes.subarray(tagEnd)), decipher.final()]).toString("utf8");
      } catch (error) {
        throw failure("encryption_unavailable", `${place} does not open: it was changed or moved; set it again`, {
          cause: error,
        });
      }
    },
    isCurrent: (sealed) => current !== undefined && sealed.startsWith(`${current.id}.`),
  };
}
