// What author code was given in confidence is not shown in logs, errors and reasons. Results are the author's own affair.

export type Mask = (text: string) => string;

/** Shorter texts would blot out harmless words. */
const SHORTEST = 4;

export function createMask(secrets: readonly string[]): Mask {
  // Logs come line by line, so a secret of several lines is masked line by line; also as JSON and URLs would write it.
  const texts = secrets
    .flatMap((secret) => [secret, ...secret.split(/\r?\n/)])
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.toWellFormed())])
    .filter((text) => text.trim().length >= SHORTEST);
  if (texts.length === 0) return (text) => text;
  // The longest first, so that a secret that holds another leaves no rest.
  const longestFirst = [...new Set(texts)].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((text) => RegExp.escape(text)).join("|"), "g");
  return (text) => text.replace(pattern, "***");
}
