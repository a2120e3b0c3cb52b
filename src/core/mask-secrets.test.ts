import { expect, test } from "vitest";
import { createMask } from "./mask-secrets.ts";

test.each<[secrets: string[], text: string, shown: string]>([
  [[], "nothing to hide", "nothing to hide"],
  [["hunter22"], "password hunter22, again hunter22", "password ***, again ***"],
  [["abcd", "abcdefgh"], "abcdefgh abcd", "*** ***"],
  [["a.c*d"], "a.c*d aXcYd", "*** aXcYd"],
  [["abc"], "abc is too short to hide", "abc is too short to hide"],
  [["-----BEGIN\nline two\n-----END"], "line two of it", "*** of it"],
  [['quo"ted\\text'], JSON.stringify({ key: 'quo"ted\\text' }), '{"key":"***"}'],
  [["p@ss/word"], "postgres://me:p%40ss%2Fword@db", "postgres://me:***@db"],
])("with %j, %j is shown as %j", (secrets, text, shown) => {
  expect(createMask(secrets)(text)).toBe(shown);
});
