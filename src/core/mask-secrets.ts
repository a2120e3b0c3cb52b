// What author code was given in confidence is not shown in logs, errors and reasons. Results are the author's own affair.
// Texts come whole or in pieces, cut anywhere: both are masked alike, and before anybody shortens them, because half of a secret
// would not be known again.

import { createTextFinder, type TextFinder } from "./find-texts.ts";

export interface Mask {
  (text: string): string;
  /** For texts that come in pieces. */
  stream: () => MaskStream;
  /** false: there is nothing to hide, and every text stays as it is. */
  hides: boolean;
}

export interface MaskStream {
  /** What can be shown so far: all but an end that may be the beginning of a secret. */
  write(piece: string): string;
  /** Nothing follows. Returns what was kept back. */
  flush(): string;
}

/** Shorter texts would blot out harmless words. */
const SHORTEST = 4;
const SHOWN = "***";

export function createMask(secrets: readonly string[]): Mask {
  // Logs come line by line, between which others may stand, so a secret of several lines is masked line by line. Whatever reads
  // one may trim it.
  const lines = secrets.flatMap((secret) => secret.split(/[\r\n]+/)).map((line) => line.trim());
  const texts = new Set(lines.filter((line) => line.length >= SHORTEST).flatMap(listForms));
  if (texts.size === 0) {
    const asItIs = (text: string) => text;
    return Object.assign(asItIs, { stream: () => ({ write: asItIs, flush: () => "" }), hides: false });
  }
  const finder = createTextFinder([...texts]);
  const stream = () => createStream(finder);
  const mask = (text: string) => {
    const { write, flush } = stream();
    return write(text) + flush();
  };
  return Object.assign(mask, { stream, hides: true });
}

/** As it is, and as JSON, console.log of an object, and addresses and forms write it. */
function listForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const wellFormed = text.toWellFormed();
  const url = new URL("http://host");
  url.password = wellFormed;
  return [
    text,
    json,
    ...listInspected(json),
    encodeURIComponent(wellFormed),
    new URLSearchParams([["", wellFormed]]).toString().slice(1),
    url.password,
  ];
}

/** Node's way: other quotes, and other signs for what cannot be printed. */
function listInspected(json: string): string[] {
  const unquoted = json
    .replaceAll('\\"', '"')
    .replace(/\\u00([01][\da-f])/g, (_, code: string) => `\\x${code.toUpperCase()}`)
    .replace(/[\x7f-\x9f]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return [unquoted, unquoted.replaceAll("'", "\\'")];
}

/** From and to; positions count from the start of what was kept back. One that begins below 0 has been shown already. */
type Covered = [from: number, to: number];

function createStream({ read, depth }: TextFinder): MaskStream {
  let state = 0;
  let kept = "";
  let covered: Covered[] = [];

  /** Secrets may overlap: what any of them covers is hidden, once. */
  const cover = (from: number, to: number) => {
    let start = from;
    for (let last = covered.at(-1); last && last[1] > start; last = covered.at(-1)) {
      start = Math.min(start, last[0]);
      covered.pop();
    }
    covered.push([start, to]);
  };

  const show = (text: string, end: number): string => {
    let shown = "";
    let at = 0;
    for (const [from, to] of covered) {
      if (from >= end) break;
      if (from >= 0) shown += text.slice(at, from) + SHOWN;
      at = Math.min(to, end);
    }
    shown += text.slice(at, end);
    kept = text.slice(end);
    covered = covered.filter(([, to]) => to > end).map(([from, to]) => [from - end, to - end]);
    return shown;
  };

  return {
    write: (piece) => {
      const text = kept + piece;
      state = read(state, text, kept.length, (end, length) => cover(end - length, end));
      // No secret that is still to be found begins before this.
      return show(text, text.length - depth(state));
    },
    flush: () => {
      const shown = show(kept, kept.length);
      state = 0;
      return shown;
    },
  };
}
