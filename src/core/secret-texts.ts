// Which texts must not be seen of what author code is given in confidence: shown as *** in logs, errors and reasons.

import type { Connection } from "./connection.ts";
import type { Json } from "./json.ts";

/** Also the texts in a value that is JSON, which its reader parses: of a document of settings, each password. */
export function listVariableSecrets(value: string): string[] {
  try {
    return [value, ...listTexts(JSON.parse(value))];
  } catch {
    return [value];
  }
}

/** Not the numbers of `extra`: most of them are settings such as 1000, and would blot out harmless lines. */
export function listConnectionSecrets({ password, extra }: Connection): string[] {
  return [...(password === null ? [] : [password]), ...listTexts(extra)];
}

function listTexts(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(listTexts) : [];
}
