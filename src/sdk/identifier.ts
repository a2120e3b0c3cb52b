// Ids of DAGs and tasks: the same rule as `contract/definition.ts`, checked here so that the error is at the author's line.

import { authorError, describeValue } from "./author-error.ts";

const IDENTIFIER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,249}$/;

export function checkIdentifier(what: "DAG" | "task" | "group", id: unknown): asserts id is string {
  if (typeof id === "string" && IDENTIFIER.test(id)) return;
  throw authorError(
    `${describeValue(id)} cannot be a ${what} id. ` +
      `Use 1 to 250 letters, digits, "_", "." and "-", starting with a letter, digit or "_".`,
  );
}
