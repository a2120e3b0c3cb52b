// Author code reads the variables and connections that it declares, and no others, wherever it runs.

import { bash, branch, callback, dag, kubernetesPod, sensor, shortCircuit, task } from "windlass";

export const accepted = [
  task("variables", { variables: ["bucket", "region"] }, (_, { variables }) => variables.bucket + variables.region),
  task("connections", { connections: ["db"] }, (_, { connections }) => connections.db.password ?? ""),
  task("with_inputs", { variables: ["a"] }, ({ day }: { day: string }, { variables }) => `${day}${variables.a}`),
  branch("branch", { variables: ["mode"] }, (_, { variables }) => (variables.mode === "x" ? "full" : "short")),
  branch("branch_of", { connections: ["db"] }, async ({ n }: { n: number }, { connections }) =>
    connections.db.port === n ? "full" : null,
  ),
  shortCircuit(
    "short",
    { skips: "direct", variables: ["a"] },
    ({ n }: { n: number }, { variables }) => n > +variables.a,
  ),
  sensor(
    "sensor",
    { every: "5s", connections: ["shop"] },
    async ({ url }: { url: string }, { connections, signal }) => {
      return (await fetch(url, { headers: { authorization: connections.shop.password ?? "" }, signal })).ok;
    },
  ),
  sensor("sensor_of", { variables: ["a"] }, (_, { variables, try_number }) => ({
    done: true,
    value: variables.a.repeat(try_number),
  })),
  bash("bash", {
    command: "psql",
    variables: ["mode"],
    connections: ["db"],
    env: ({ variables, connections: { db } }) => ({ MODE: variables.mode, PGPASSWORD: db.password, PGPORT: db.port }),
  }),
  bash("bash_plain", { command: "true", env: { A: "b" } }),
];

const tell = callback(
  { variables: ["room"], connections: ["chat"] },
  async ({ reason }, { variables, connections, signal }) => {
    await fetch(`https://${connections.chat.host}/${variables.room}`, { method: "POST", body: reason, signal });
  },
);
export const told = [
  task("told", { variables: ["a"], onFailure: tell, onRetry: () => {} }, (_, { variables }) => variables.a),
  sensor("told_too", { onFailure: tell }, () => true),
  dag("told", { onSuccess: tell, deadline: { after: "1h", callback: tell } }, () => {}),
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
  // @ts-expect-error -- a branch declares another one
  branch("branch", { variables: ["mode"] }, (_, { variables }) => variables.mod),
  // @ts-expect-error -- a branch that declares none
  branch("branch_none", (_, { variables }) => variables.mode),
  // @ts-expect-error -- a short circuit declares none
  shortCircuit("short", { skips: "all" }, (_, { variables }) => variables.mode),
  // @ts-expect-error -- a sensor declares none
  sensor("sensor", (_, { connections }) => connections.shop.host === null),
  // @ts-expect-error -- a sensor declares another one
  sensor("sensor_other", { connections: ["shop"] }, (_, { connections }) => connections.show.host === null),
  // @ts-expect-error -- there are no files beside the scheduler
  sensor("sensor_files", async (_, { artifacts }) => artifacts !== undefined),
  // @ts-expect-error -- a command declares another one
  bash("bash", { command: "true", variables: ["mode"], env: ({ variables }) => ({ MODE: variables.mod }) }),
  // @ts-expect-error -- a connection as a whole is no variable of an environment
  bash("bash_whole", { command: "true", connections: ["db"], env: ({ connections }) => ({ DB: connections.db }) }),
  // @ts-expect-error -- an image has no worker that could be given any
  kubernetesPod("pod", { image: "x", variables: ["mode"] }),
  // @ts-expect-error -- a callback declares another one
  callback({ variables: ["room"] }, (_, { variables }) => variables.rom),
  // @ts-expect-error -- a plain callback declares none, whatever its task declares
  task("told", { variables: ["a"], onFailure: (_, { variables }) => variables.a }, () => 1),
  // @ts-expect-error -- a callback in the place of a task's function
  task("called", tell),
];
