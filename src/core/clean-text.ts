// Text as Postgres can hold it. What tasks print, containers leave as last words and servers answer may be anything, and must
// not keep an end from being written.

/** NUL and halves of surrogate pairs become signs that can be kept. */
export function cleanText(text: string): string {
  return text.replaceAll("\0", "\u2400").toWellFormed();
}
