// A task reads the variables and connections that it declares, and no others.

import { task } from "windlass";

export const accepted = [
  task("variables", { variables: ["bucket", "region"] }, (_, { variables }) => variables.bucket + variables.region),
  task("connections", { connections: ["db"] }, (_, { connections }) => connections.db.password ?? ""),
  task("with_inputs", { variables: ["a"] }, ({ day }: { day: string }, { variables }) => `${day}${variables.a}`),
];

export const refused = [
  // @ts-expect-error -- not declared
  task("misspelt", { variables: ["bucket"] }, (_, { variables }) => variables.bukcet),
  // @ts-expect-error -- none is declared
  task("none", (_, { variables }) => variables.bucket),
  // @ts-expect-error -- a variable is no connection
  task("other_kind", { variables: ["db"] }, (_, { connections }) => connections.db),
  // @ts-expect-error -- a variable is text
  task("text", { variables: ["limit"] }, (_, { variables }): number => variables.limit),
  // @ts-expect-error -- a list of names
  task("no_list", { variables: "bucket" }, () => 1),
];
