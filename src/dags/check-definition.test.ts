import { expect, test } from "vitest";
import { checkDefinitions } from "./check-definition.ts";
import { plainDag, plainTask } from "./folder-fixture.ts";

const CONTAINER = { image: "x", cmds: null, arguments: null, env: { A: "1" }, get_logs: true, skip_on_exit_codes: [] };
const pod = (task: Record<string, unknown> = {}, container: Record<string, unknown> = {}) =>
  plainTask("p", { kind: "pod", container: { ...CONTAINER, ...container }, ...task });
const errorsOf = (task: Record<string, unknown>) =>
  checkDefinitions([plainDag("d", { tasks: [task] })]).errors.map(({ path, message }) => `${path}: ${message}`);

test("a pod is a task", () => {
  const env = { kind: "object", fields: { RUN: { kind: "run", field: "run_id" } } };
  expect(errorsOf(pod())).toEqual([]);
  expect(errorsOf(pod({ inputs: { env } }, { skip_on_exit_codes: [99] }))).toEqual([]);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ["no container", pod({ container: null }), /^DAG "d", task "p"\.container: is missing/],
  ["a container of another kind", plainTask("p", { container: CONTAINER }), /task "p"\.container: belongs to/],
  ["no image", pod({}, { image: "" }), /task "p"\.container\.image/],
  ["an unknown field", pod({}, { ports: [] }), /task "p"\.container: .*ports/],
  ["an object as a variable", pod({}, { env: { A: { b: "1" } } }), /task "p"\.container\.env\.A/],
  ["a variable's name", pod({}, { env: { "A=": "1" } }), /task "p"\.container\.env\.A=: is not a name/],
  ["an exit code", pod({}, { skip_on_exit_codes: [0] }), /task "p"\.container\.skip_on_exit_codes\[0\]/],
  ["another input", pod({ inputs: { image: { kind: "value", value: "y" } } }), /task "p"\.inputs\.image: is unknown/],
  [
    "an object as an input variable",
    pod({ inputs: { env: { kind: "value", value: { A: { b: 1 } } } } }),
    /task "p"\.inputs\.env\.A: must be text/,
  ],
  [
    "a result of a task that is not upstream",
    pod({ inputs: { arguments: { kind: "result", task_id: "q", path: [] } } }),
    /task "p"\.inputs\.arguments: uses the result of "q"/,
  ],
])("refused: %s", (_, task, message) => {
  expect(errorsOf(task)).toEqual([expect.stringMatching(message)]);
});
