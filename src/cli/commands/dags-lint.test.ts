import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { lintDags } from "./dags-lint.ts";

const PROJECT = join(import.meta.dirname, "..", "..", "..");

async function lint(path: string, output: "text" | "json") {
  const printed: string[] = [];
  const code = await lintDags([join(PROJECT, path)], { types: false, output }, (text) => printed.push(text));
  return { code, printed: printed.map(stripVTControlCharacters) };
}

test("nothing found is 0, findings are 1, with a line for each", async () => {
  expect(await lint("examples/fan_out.ts", "text")).toEqual({ code: 0, printed: ["nothing found in 1 file"] });
  expect(await lint("src/core/json.ts", "text")).toEqual({
    code: 1,
    printed: ["json.ts: no_dag: there is no DAG here; write `export default dag(...)`", "1 found in 1 file"],
  });
});

test("JSON is one object", async () => {
  const { code, printed } = await lint("examples/fan_out.ts", "json");
  expect([code, JSON.parse(printed.join(""))]).toEqual([0, { files: 1, dags: ["fan_out"], findings: [] }]);
});
