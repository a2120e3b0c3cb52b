import { bash, dag, task } from "windlass";
import { expect, test } from "vitest";
import { dagDefinition } from "../contract/definition.ts";
import { COMPILED_DAG } from "./compiled.ts";

const one = task("one", () => "x");

test("a command is data, and its variables are edges", () => {
  const made = dag("d", {}, () => {
    bash("say", { command: 'echo "$A"', env: { B: "b" }, retries: 2 })({ env: { A: one() } });
  });
  const definition = dagDefinition.parse(JSON.parse(JSON.stringify(made[COMPILED_DAG].definition)));
  expect(definition.tasks[1]).toMatchObject({
    kind: "function",
    retries: 2,
    upstream: ["one"],
    operator: { type: "bash", command: 'echo "$A"', env: { B: "b" }, skip_on_exit_codes: [99] },
  });
});

test("what cannot be is refused at the author's line", () => {
  const make = (options: object) => () => bash("say", options as never);
  expect(make({ command: "" })).toThrow('task "say": command is ""');
  expect(make({ command: "x", env: { A: 1 } })).toThrow("env.A is 1, but must be a string");
  expect(make({ command: "x", skipOnExitCode: 300 })).toThrow("skipOnExitCode is 300");
  expect(make({ command: "x", comand: "y" })).toThrow("the option comand is unknown");
  expect(() =>
    dag("d", {}, () =>
      bash("say", { command: "x" })({
        env: {
          A: one
            .as("a")()
            .get("b" as never),
        },
        cwd: "/",
      } as never),
    ),
  ).toThrow("the option cwd is unknown");
});
