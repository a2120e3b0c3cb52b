import { expect, test } from "vitest";
import { COMPILED_DAG } from "./compiled.ts";
import { dag } from "./dag.ts";
import { task } from "./task.ts";

test("what a task declares is in its definition, and nothing where it declares nothing", () => {
  const reads = task(
    "reads",
    { variables: ["bucket"], connections: ["warehouse"] },
    (_, { variables, connections }) => [variables.bucket, connections.warehouse.host],
  );
  const plain = task("plain", { variables: [] }, () => 1);
  const built = dag("etl", {}, () => {
    reads();
    plain();
  });
  const [first, second] = built[COMPILED_DAG].definition.tasks;
  expect(first).toMatchObject({ variables: ["bucket"], connections: ["warehouse"] });
  expect(second).not.toHaveProperty("variables");
});

test.each<[options: object, message: string]>([
  [{ variables: "bucket" }, 'variables is "bucket"'],
  [{ variables: ["a b"] }, "variables[0]"],
  [{ connections: [1] }, "connections[0]"],
  [{ variabels: ["bucket"] }, "the option variabels is unknown"],
])("%j is refused", (options, message) => {
  expect(() => task("reads", options, () => 1)).toThrow(message);
});
