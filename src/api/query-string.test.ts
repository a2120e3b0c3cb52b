import { expect, test } from "vitest";
import { parseQueryString } from "./query-string.ts";

test.each([
  ["limit=5&state=failed", { limit: "5", state: ["failed"] }],
  ["state=failed&state=success", { state: ["failed", "success"] }],
  ["limit=5&limit=6", { limit: ["5", "6"] }],
  ["dag_id_pattern=a%25b+c", { dag_id_pattern: "a%b c" }],
  ["", {}],
])("%s", (text, expected) => {
  expect(parseQueryString(text)).toEqual(expected);
});

test("a parameter called __proto__ is a parameter", () => {
  const query = parseQueryString("__proto__=x");
  expect(Object.keys(query)).toEqual(["__proto__"]);
  expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
});
