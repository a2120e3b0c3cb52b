// Finds many texts at once in one reading of another, however it is cut (Aho and Corasick, 1975): time grows with what is read,
// not with how many texts there are, how long they are, or how nearly they occur.

export interface Automaton {
  /** By unit: the state after it where nothing was under way. Most of what is read leads nowhere, as one look here says. */
  first: Int32Array;
  /** The state after one more UTF-16 unit; the first state is 0. */
  step: (state: number, unit: number) => number;
  /** By state: how many of the units read last may still become one of the texts. */
  depth: Int32Array;
  /** By state: the length of the longest text that ends here, or 0. */
  longest: Int32Array;
}

const UNITS = 65_536;

/** @param texts none of them empty */
export function buildAutomaton(texts: readonly string[]): Automaton {
  const size = texts.reduce((sum, text) => sum + text.length, 1);
  // Of each state: the unit that leads to it, its first child and next sibling, and the state of the longest end of its text
  // that begins a text, too. Every index below is a state's.
  const unitOf = new Uint16Array(size);
  const child = new Int32Array(size);
  const sibling = new Int32Array(size);
  const fallback = new Int32Array(size);
  const depth = new Int32Array(size);
  const longest = new Int32Array(size);
  const first = new Int32Array(UNITS);
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
  return { first, step, depth, longest };
}
