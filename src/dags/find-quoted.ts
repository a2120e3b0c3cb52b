// Where an author wrote an id: the best place to point at when a definition is wrong and no line of code has thrown.

import type { Place } from "./import-fault.ts";

/** Finds the first of the texts that the author's file holds in quotes. */
export function findQuoted(texts: readonly string[], file: string, sourceMap: string): Place | null {
  // Written by the bundler, which names every source that it has seen.
  const map = JSON.parse(sourceMap) as { sources: string[]; sourcesContent: (string | null)[] };
  const source = map.sourcesContent[map.sources.indexOf(file)] ?? "";
  for (const text of texts) {
    const at = [`"${text}"`, `'${text}'`, `\`${text}\``]
      .map((quoted) => source.indexOf(quoted))
      .find((index) => index >= 0);
    if (at === undefined) continue;
    const before = source.slice(0, at).split("\n");
    return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
  return null;
}
