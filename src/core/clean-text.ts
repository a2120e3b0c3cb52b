// Text as Postgres can hold it. What tasks print, containers leave as last words and servers answer may be anything, and must
// not keep an end from being written.

import type { Json } from "./json.ts";

/** NUL and halves of surrogate pairs become signs that can be kept. */
export function cleanText(text: string): string {
  return text.replaceAll("\0", "\u2400").toWellFormed();
}

// jsonb holds neither; in JSON text both can only stand as an escape.
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** Whether jsonb takes a value that came out of JSON: what is the author's own is refused rather than changed. */
export function isStorable(value: Json): boolean {
  return !UNSTORABLE.test(JSON.stringify(value));
}
