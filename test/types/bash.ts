// Shell commands: values go in as variables only.

import { bash, dag, task } from "windlass";
import { z } from "zod";

const greet = bash("greet", { command: 'echo "$NAME"', env: { STAGE: "test" }, skipOnExitCode: [3, 99], retries: 1 });
const text = task("text", ({ value }: { value: string | null }) => value);
const count = task("count", ({ value }: { value: number }) => value);
const rows = task("rows", () => ({ n: 1, list: ["a"] }));

export const accepted = dag("accepted", { params: z.object({ name: z.string() }) }, ({ params, run }) => {
  text({ value: greet({ env: { NAME: params.name, N: rows().get("n"), DAY: run.logical_date, ON: true } }) });
  greet.as("again")();
});

export const refused = dag("refused", {}, () => {
  // @ts-expect-error a list as a variable
  greet({ env: { NAME: rows().get("list") } });
  // @ts-expect-error another command for one call
  greet.as("b")({ command: "id" });
  // @ts-expect-error a line of text where a number is wanted
  count({ value: greet.as("c")() });
});

export const misspelt = () => {
  // @ts-expect-error no command
  bash("none", {});
  // @ts-expect-error a command that is a list
  bash("list", { command: ["echo", "x"] });
  // @ts-expect-error a number as a variable
  bash("number", { command: "true", env: { A: 1 } });
};
