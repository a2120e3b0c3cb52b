import { expect, it } from "vitest";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import { dagDefinition } from "./definition.ts";

it("takes a definition", () => {
  expect(dagDefinition.safeParse(dagOf("d", [taskOf("a", [], { description: "caf\u00e9 \\u0000" })])).success).toBe(
    true,
  );
});

// Each would be stored never, or fail the statements of all DAGs.
it.each([
  ["no end of runs", dagOf("d", [taskOf("a")], { max_active_runs: Number.MAX_SAFE_INTEGER })],
  ["no end of tasks", dagOf("d", [taskOf("a")], { max_active_tasks: 2 ** 31 })],
  ["a timeout beyond all dates", dagOf("d", [taskOf("a", [], { execution_timeout: 1e15 })])],
  ["NUL in a description", dagOf("d", [taskOf("a", [], { description: "a\0b" })])],
  [
    "a callback's variable with no name",
    dagOf("d", [taskOf("a")], { callback_secrets: { failure: { variables: [""] } } }),
  ],
  ["half a surrogate pair in a default", dagOf("d", [taskOf("a")], { params_schema: { default: "\ud83d" } })],
])("refuses %s", (_what, definition) => {
  expect(dagDefinition.safeParse(definition).success).toBe(false);
});
