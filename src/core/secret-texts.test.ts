import { expect, test } from "vitest";
import { listConnectionSecrets, listVariableSecrets } from "./secret-texts.ts";

test.each<[value: string, texts: string[]]>([
  ["hunter22", []],
  ['"quoted"', ["quoted"]],
  ["12345678", []],
  ["{broken", []],
  ['{"user":"me","keys":["one",{"two":"three"}],"port":5432}', ["me", "one", "three"]],
])("of the variable %j, its own text and those of its JSON", (value, texts) => {
  expect(listVariableSecrets(value)).toEqual([value, ...texts]);
});

test("of a connection, its password and the texts in its extra", () => {
  const place = { conn_type: "http", host: "host", port: 443, login: "login", schema: "schema" };
  const extra = { key: "a", list: ["b", { deep: "c" }], size: 1000, on: true, none: null };
  expect(listConnectionSecrets({ ...place, password: "p", extra })).toEqual(["p", "a", "b", "c"]);
  expect(listConnectionSecrets({ ...place, password: null, extra: {} })).toEqual([]);
});
