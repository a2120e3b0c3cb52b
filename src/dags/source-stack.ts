// Maps stacks of a bundle to the author's files. Frames of Node, of windlass and of whatever ran the bundle say nothing to
// an author and are left out, unless nothing else remains. Takes any text: a stack that is none comes back as it was.

import { createHash } from "node:crypto";
import { SourceMap } from "node:module";
import { BUNDLE_FILENAME } from "./load-bundle.ts";
import { INSTALLATION_NAMESPACE } from "./resolve-imports.ts";

export interface MappedStack {
  stack: string;
  /** The first frame in the author's sources, counted from 1; file is relative to the dags folder. */
  file: string | null;
  line: number | null;
  column: number | null;
  /** All frames in the author's sources, innermost first. */
  places: SourcePlace[];
}

export interface SourcePlace {
  file: string;
  line: number;
  column: number;
}

const LONGEST_STACK = 65_536;
const FRAME = /^\s+at /;
// The column is missing in the head of a SyntaxError's stack.
const PLACE = new RegExp(`${BUNDLE_FILENAME}:(\\d{1,9})(?::(\\d{1,9}))?`);
/** Parsed maps take some 10 times their text; a page of errors is of one or two bundles. */
const CACHED_MAPS = 16;

const cache = new Map<string, SourceMap | null>();

/** @param key names the map in the cache, such as the bundle's hash; the map's own hash without it */
export function mapStack(stack: string, sourceMap: string, key?: string): MappedStack {
  const text = stack.slice(0, LONGEST_STACK);
  const map = text.includes(BUNDLE_FILENAME) ? findMap(sourceMap, key) : null;
  if (!map) return { stack: text, file: null, line: null, column: null, places: [] };
  const kept: string[] = [];
  const places: SourcePlace[] = [];
  let frames = 0;
  for (const line of text.split("\n")) {
    const place = placeIn(line, map);
    const isFrame = FRAME.test(line);
    if (isFrame) frames += 1;
    if (place) {
      if (!place.file.includes("node_modules/")) places.push(place);
      kept.push(line.replace(PLACE, () => `${place.file}:${place.line}:${place.column}`));
    } else if (!isFrame) {
      kept.push(line);
    }
  }
  const nothingLeft = frames > 0 && !kept.some((line) => FRAME.test(line));
  const first = places[0];
  return {
    stack: nothingLeft ? text : kept.join("\n"),
    file: first?.file ?? null,
    line: first?.line ?? null,
    column: first?.column ?? null,
    places,
  };
}

/** The author's place of a line of the bundle; null when it is ours. */
export function mapPlace(line: number, column: number, sourceMap: string, key?: string): SourcePlace | null {
  const map = findMap(sourceMap, key);
  return map && placeOf(map, line, column);
}

function placeIn(line: string, map: SourceMap): SourcePlace | null {
  const found = PLACE.exec(line);
  return found ? placeOf(map, Number(found[1]), Number(found[2] ?? 1)) : null;
}

function placeOf(map: SourceMap, line: number, column: number): SourcePlace | null {
  // Maps count from 0, stacks from 1.
  const entry = map.findEntry(line - 1, column - 1);
  if (!("originalSource" in entry) || typeof entry.originalSource !== "string") return null;
  const file = entry.originalSource;
  if (file.startsWith(`${INSTALLATION_NAMESPACE}:`)) return null;
  return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}

function findMap(text: string, key: string = createHash("sha256").update(text).digest("hex")): SourceMap | null {
  const known = cache.get(key);
  // Taken out and put back: the map's order is that of use.
  if (known !== undefined) cache.delete(key);
  const map = known === undefined ? parseMap(text) : known;
  cache.set(key, map);
  const oldest = cache.keys().next().value;
  if (cache.size > CACHED_MAPS && oldest !== undefined) cache.delete(oldest);
  return map;
}

function parseMap(text: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(text));
  } catch {
    // A map that cannot be read leaves the stack as it is.
    return null;
  }
}
