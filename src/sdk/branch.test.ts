import { branch, dag, empty, shortCircuit } from "windlass";
import { expect, test } from "vitest";
import { dagDefinition } from "../contract/definition.ts";
import { COMPILED_DAG } from "./compiled.ts";
import type { Dag } from "./dag.ts";

const definitionOf = (made: Dag) => dagDefinition.parse(JSON.parse(JSON.stringify(made[COMPILED_DAG].definition)));
const pick = branch("pick", ({ n = 0 }: { n?: number }) => (n > 3 ? "big" : "small"));

test("a branch's choices are edges and data", () => {
  const made = dag("d", {}, () => {
    const [a, b, c] = [empty("a")(), empty("b")(), empty("c")()];
    pick().to({ big: a, small: [b, c] });
    pick.as("again")({ n: 1 }).to({ big: [], small: c });
  });
  const { tasks } = definitionOf(made);
  const find = (id: string) => tasks.find((task) => task.task_id === id);
  expect(find("pick")?.operator).toEqual({ type: "branch", choices: { big: ["a"], small: ["b", "c"] } });
  expect(find("again")?.operator).toEqual({ type: "branch", choices: { big: [], small: ["c"] } });
  expect(find("c")?.upstream).toEqual(["pick", "again"]);
});

test("a short circuit says how far it skips", () => {
  const made = dag("d", {}, () => {
    shortCircuit("a", () => true)();
    shortCircuit("b", { skips: "direct", retries: 1 }, () => true)();
  });
  expect(definitionOf(made).tasks.map((task) => task.operator)).toEqual([
    { type: "short_circuit", skips: "all" },
    { type: "short_circuit", skips: "direct" },
  ]);
});

test("what cannot be is refused at the author's line", () => {
  const build = (body: () => void) => () => dag("d", {}, body);
  // The compiler refuses these; a file is run without it.
  const to = (choices: unknown) => pick().to(choices as never);
  expect(build(() => to("a"))).toThrow('task "pick": to() was given "a"');
  expect(build(() => to({ big: "a" }))).toThrow('task "pick": to(): big was given "a"');
  expect(
    build(() => {
      const node = pick();
      const a = empty("a")();
      node.to({ big: a, small: a });
      node.to({ big: a, small: a });
    }),
  ).toThrow('the choice "big" is given twice');
  expect(
    build(() => {
      const node = pick();
      node.to({ big: [], small: empty("a")() });
      node.to({ big: pick(), small: [] });
    }),
  ).toThrow('two tasks named "pick"');
  expect(() => shortCircuit("x", { skips: "some" as never }, () => 1)).toThrow('skips is "some"');
  expect(() => branch("x", {} as never)).toThrow("the last argument is an object");
});
