// Every decision of a soak comes from here: the same seed and the same name give the same numbers, whatever else happened
// meanwhile, so that a soak is repeated by its seed as far as the machine allows.

import { createHash } from "node:crypto";

export interface Random {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number, both ends included. */
  between(min: number, max: number): number;
  pick<T>(list: readonly T[]): T;
  /** One of the keys, each as likely as its weight says. */
  weigh<K extends string>(weights: Readonly<Record<K, number>>): K;
  /** A generator of its own for one thing: its numbers depend on the seed and the name alone. */
  fork(name: string): Random;
}

export function createRandom(seed: string): Random {
  let drawn = 0;
  const next = () => {
    drawn += 1;
    return createHash("sha256").update(`${seed}#${drawn}`).digest().readUIntBE(0, 6) / 2 ** 48;
  };
  const pick = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(next() * list.length)];
    if (one === undefined) throw new Error("there is nothing to pick from");
    return one;
  };
  return {
    next,
    pick,
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    weigh: <K extends string>(weights: Readonly<Record<K, number>>) => {
      const entries = Object.entries<number>(weights) as [K, number][];
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [key, weight] of entries) {
        left -= weight;
        if (left < 0) return key;
      }
      throw new Error("there is nothing to choose from");
    },
    fork: (name) => createRandom(`${seed}/${name}`),
  };
}
