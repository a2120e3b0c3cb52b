import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_RESULT_BYTES } from "../contract/worker-process.ts";
import { encodeResult } from "./encode-result.ts";

test("plain JSON comes back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(encodeResult(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("nothing is null, and undefined fields are left out", () => {
  expect(encodeResult(undefined)).toBe("null");
  expect(encodeResult({ a: 1, b: undefined })).toBe(`{"a":1}`);
});

class Row {
  id = 1;
}
const cyclic: Record<string, unknown> = { a: {} };
cyclic["a"] = { back: cyclic };
const deep = Array.from({ length: 600 }).reduce<unknown>((inner) => [inner], 1);

test.for([
  [new Date(0), "result is a Date"],
  [{ rows: [0, 1, 2, { when: new Date(0) }] }, "result.rows[3].when is a Date"],
  [{ "a b": new Map() }, `result["a b"] is a Map`],
  [[1, undefined], "result[1] is undefined"],
  [Array(1), "result[0] is undefined"],
  [{ n: Number.NaN }, "result.n is NaN"],
  [{ n: -Infinity }, "result.n is -Infinity"],
  [{ n: 1n }, "result.n is a bigint"],
  [{ f: () => 1 }, "result.f is a function"],
  [{ row: new Row() }, "result.row is a Row"],
  [{ later: Promise.resolve() }, "result.later is a Promise (is an await missing?)"],
  [{ toJSON: () => 1 }, "result has a toJSON function"],
  [cyclic, "result.a.back is an object that contains itself"],
  [deep, "nested deeper than 500 levels"],
] as const)("%o is refused with its path", ([value, message]) => {
  expect(() => encodeResult(value)).toThrow(message);
});

test("the limit counts bytes, not characters", () => {
  expect(() => encodeResult("a".repeat(MAX_RESULT_BYTES - 2))).not.toThrow();
  expect(() => encodeResult("a".repeat(MAX_RESULT_BYTES - 1))).toThrow(`the result has ${MAX_RESULT_BYTES + 1} bytes`);
  expect(() => encodeResult("é".repeat(MAX_RESULT_BYTES / 2))).toThrow("bytes as JSON");
});
