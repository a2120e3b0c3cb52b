// Finds many texts at once in one reading of another, however it is cut (Aho and Corasick, 1975): time grows with what is read,
// not with how many texts there are, how long they are, or how nearly they occur.

export interface TextFinder {
  /**
   * Reads `text` from a place on. Says of each place where texts end the length of the longest.
   * @param state what came before: 0 at first, then what the call before returned
   */
  read: (state: number, text: string, from: number, onFound: (end: number, length: number) => void) => number;
  /** How many of the units read last may still become one of the texts. */
  depth: (state: number) => number;
}

const UNITS = 65_536;
/** The same for two pairs at times, which costs a second look. */
const pairOf = (unit: number, next: number) => (unit ^ (next << 7)) & 0xff_ff;

/** @param texts of two units at least */
export function createTextFinder(texts: readonly string[]): TextFinder {
  const size = texts.reduce((sum, text) => sum + text.length, 1);
  // Of each state: the unit that leads to it, its first child and next sibling, and the state of the longest end of its text
  // that begins a text, too. Every index below is a state's or a unit's, so there is an element.
  const unitOf = new Uint16Array(size);
  const child = new Int32Array(size);
  const sibling = new Int32Array(size);
  const fallback = new Int32Array(size);
  const depth = new Int32Array(size);
  const longest = new Int32Array(size);
  const first = new Int32Array(UNITS);
  // Most of what is read leads nowhere, as one look here says.
  const begins = new Uint8Array(UNITS);
  let states = 1;

  const follow = (state: number, unit: number): number => {
    if (state === 0) return first[unit] as number;
    let next = child[state] as number;
    while (next !== 0 && unitOf[next] !== unit) next = sibling[next] as number;
    return next;
  };

  const step = (state: number, unit: number): number => {
    let from = state;
    for (;;) {
      const next = follow(from, unit);
      if (next !== 0 || from === 0) return next;
      from = fallback[from] as number;
    }
  };

  for (const text of texts) {
    let state = 0;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      let next = follow(state, unit);
      if (next === 0) {
        next = states;
        states += 1;
        unitOf[next] = unit;
        depth[next] = at + 1;
        if (state === 0) first[unit] = next;
        sibling[next] = child[state] as number;
        child[state] = next;
      }
      state = next;
    }
    longest[state] = text.length;
    begins[pairOf(text.charCodeAt(0), text.charCodeAt(1))] = 1;
  }

  // By depth, so that what a state falls back to is known before it.
  const queue = new Int32Array(states);
  for (let taken = 0, known = 1; taken < known; taken += 1) {
    const state = queue[taken] as number;
    for (let next = child[state] as number; next !== 0; next = sibling[next] as number) {
      queue[known] = next;
      known += 1;
      if (state === 0) continue;
      const back = step(fallback[state] as number, unitOf[next] as number);
      fallback[next] = back;
      longest[next] = Math.max(longest[next] as number, longest[back] as number);
    }
  }

  return {
    read: (before, text, from, onFound) => {
      let state = before;
      let next = text.charCodeAt(from);
      for (let at = from; at < text.length; at += 1) {
        const unit = next;
        const isLast = at + 1 === text.length;
        next = isLast ? 0 : text.charCodeAt(at + 1);
        if (state === 0 && !isLast && begins[pairOf(unit, next)] === 0) continue;
        state = step(state, unit);
        const length = longest[state] as number;
        if (length > 0) onFound(at + 1, length);
      }
      return state;
    },
    depth: (state) => depth[state] as number,
  };
}
