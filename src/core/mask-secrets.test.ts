import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createMask } from "./mask-secrets.ts";

test.each<[secrets: string[], text: string, shown: string]>([
  [[], "nothing to hide", "nothing to hide"],
  [["hunter22"], "password hunter22, again hunter22", "password ***, again ***"],
  [["abcd", "abcdefgh"], "abcdefgh abcd", "*** ***"],
  [["abcdef", "defghi"], "abcdefghi", "***"],
  [["abcabc"], "xabcabcabcx abcabd", "x***x abcabd"],
  [["a.c*d"], "a.c*d aXcYd", "*** aXcYd"],
  [["abc"], "abc is too short to hide", "abc is too short to hide"],
  [["  trimmed \n"], "trimmed", "***"],
  [["-----BEGIN\nline two\r\n==\n-----END"], "line two of it", "*** of it"],
  [["-----BEGIN\nline two\n==\n-----END"], "-----BEGIN\nline two\n==\n-----END", "***\n***\n==\n***"],
  [["-----BEGIN\nline two\n-----END"], JSON.stringify("-----BEGIN\nline two\n-----END"), '"***\\n***\\n***"'],
  [['quo"ted\\text'], JSON.stringify({ key: 'quo"ted\\text' }), '{"key":"***"}'],
  [["p@ss/word"], "postgres://me:p%40ss%2Fword@db", "postgres://me:***@db"],
  [["p@ss $word"], "postgres://me:p%40ss%20$word@db", "postgres://me:***@db"],
  [["p@ss word"], "login=me&password=p%40ss+word", "login=me&password=***"],
])("with %j, %j is shown as %j", (secrets, text, shown) => {
  expect(createMask(secrets)(text)).toBe(shown);
});

/** By definition: whatever any secret covers, however they overlap. */
function maskSlowly(secrets: readonly string[], text: string): string {
  const covered = new Set<number>();
  const joined = new Set<number>();
  for (const secret of secrets.flatMap((each) => each.split("\n")).map((line) => line.trim())) {
    for (let at = 0; secret.length >= 4 && at + secret.length <= text.length; at += 1) {
      if (!text.startsWith(secret, at)) continue;
      for (let place = at; place < at + secret.length; place += 1) covered.add(place);
      for (let place = at + 1; place < at + secret.length; place += 1) joined.add(place);
    }
  }
  return text
    .split("")
    .map((unit, at) => (!covered.has(at) ? unit : joined.has(at) ? "" : "***"))
    .join("");
}

const words = fc.string({ unit: fc.constantFrom("a", "a", "b", "b", "b", " ", "\n"), maxLength: 14 });
/** Secrets of which some hold or overlap others, and a text made of parts of them. */
const confided = fc
  .tuple(fc.array(words, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(fc.nat(), fc.nat())))
  .map(([secrets, places]) => {
    const all = secrets.join("");
    const parts = places.map(([from, length]) => all.slice(from % (all.length + 1)).slice(0, length % 14));
    return { secrets: [...secrets, ...parts.slice(0, 2)], text: parts.join("") };
  });
const splitAt = (text: string, cuts: readonly number[]) =>
  [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length].map((from, index, all) =>
    text.slice(from, all[index + 1] ?? text.length),
  );

test("pieces, however they are cut, are shown as the whole is, and the whole without anything that a secret covers", () => {
  fc.assert(
    fc.property(confided, fc.array(fc.nat(), { maxLength: 12 }), ({ secrets, text }, cuts) => {
      const mask = createMask(secrets);
      const shown = mask(text);
      expect(shown).toBe(maskSlowly(secrets, text));
      const stream = mask.stream();
      const pieces = splitAt(text, cuts).map((piece) => stream.write(piece));
      expect(pieces.join("") + stream.flush()).toBe(shown);
    }),
    { numRuns: 1_000 },
  );
});

test("after every piece, what is kept back is no longer than the longest secret, and no line waits for another", () => {
  fc.assert(
    fc.property(confided, fc.array(fc.nat(), { maxLength: 12 }), ({ secrets, text }, cuts) => {
      const mask = createMask(secrets);
      const stream = mask.stream();
      let given = "";
      let shown = "";
      for (const piece of splitAt(text, cuts)) {
        given += piece;
        shown += stream.write(piece);
        const whole = mask(given);
        const lines = given.slice(0, given.lastIndexOf("\n") + 1);
        expect(whole.startsWith(shown)).toBe(true);
        expect(shown.startsWith(mask(lines))).toBe(true);
        expect(whole.length - shown.length).toBeLessThanOrEqual(Math.max(...secrets.map(({ length }) => length)));
      }
    }),
    { numRuns: 500 },
  );
});

test("a secret is known again as JSON, console.log and addresses write it", () => {
  const secret = fc.string({ unit: "binary", minLength: 4, maxLength: 30 }).filter((text) => !/\s/.test(text));
  fc.assert(
    fc.property(secret, (text) => {
      const mask = createMask([text]);
      expect(mask(JSON.stringify({ key: text }))).toBe('{"key":"***"}');
      expect(mask(inspect({ key: text }))).toMatch(/^\{\s+key: (['"`])\*{3,}\1\s+\}$/);
      expect(mask(`?key=${encodeURIComponent(text)}`)).toBe("?key=***");
      expect(mask(new URLSearchParams({ key: text }).toString())).toBe("key=***");
      const url = new URL("http://me@db");
      url.password = text;
      expect(mask(url.href)).toBe("http://me:***@db/");
    }),
    { numRuns: 200 },
  );
});

test("a secret that nearly occurs everywhere does not cost more than one that does not", () => {
  const text = "a".repeat(1_000_000);
  const near = createMask([`${"a".repeat(50_000)}b`, `b${"a".repeat(50_000)}`]);
  expect(near(text)).toBe(text);
  // 50,000 looks at each of a million units would take a minute.
}, 5_000);
