// Which files of the folder are DAG files. `.windlassignore` takes others out: a glob on each line, relative to the folder
// that it lies in; "#" starts a comment, "!" takes a file back in, a name without "/" counts at any depth.

import { matchesGlob } from "node:path";

export const IGNORE_FILE = ".windlassignore";

export interface Rule {
  glob: string;
  included: boolean;
}

/** The rules of each file with the folder that it lies in: "" is the dags folder, others end with "/". */
export type IgnoreRules = readonly (readonly [folder: string, rules: readonly Rule[]])[];

/** Farther files first, so that nearer ones have the last word. */
export function orderRules(rules: ReadonlyMap<string, readonly Rule[]>): IgnoreRules {
  return [...rules].toSorted(([a], [b]) => a.length - b.length);
}

export function parseIgnoreFile(text: string): Rule[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const included = line.startsWith("!");
      const pattern = (included ? line.slice(1) : line).replace(/\/+$/, "");
      const anchored = pattern.includes("/");
      return { glob: anchored ? pattern.replace(/^\/+/, "") : `**/${pattern}`, included };
    });
}

/** Of the rules that fit a file or a folder above it, the last one counts. */
export function isIgnored(path: string, rules: IgnoreRules): boolean {
  let ignored = false;
  for (const [folder, list] of rules) {
    if (!path.startsWith(folder)) continue;
    const parts = path.slice(folder.length).split("/");
    const candidates = parts.map((_part, index) => parts.slice(0, index + 1).join("/"));
    for (const rule of list) {
      if (candidates.some((candidate) => matchesGlob(candidate, rule.glob))) ignored = !rule.included;
    }
  }
  return ignored;
}

/** Whether a file's name makes it a DAG file. */
export function hasDagName(path: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(path) && !/\.(d|test)\.[^./]+$/.test(path);
}
