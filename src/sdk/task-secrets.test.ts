import { bash, branch, callback, dag, empty, kubernetesPod, sensor, shortCircuit, task, waitFor } from "windlass";
import { expect, test } from "vitest";
import { dagDefinition } from "../contract/definition.ts";
import { COMPILED_DAG, type TaskRuntime } from "./compiled.ts";

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

test("all that has code of its own declares alike, mapped too; what has none does not", () => {
  const declared = { variables: ["bucket"], connections: ["warehouse"] } as const;
  const built = dag("etl", {}, () => {
    branch("pick", declared, () => "next")().to({ next: empty("next")() });
    shortCircuit("open", declared, ({ n }: { n: number }) => n > 0).map({ n: [1, 2] });
    sensor("look", { ...declared, every: "5s" }, ({ n }: { n: number }) => n > 0).map({ n: [1, 2] });
    bash("say", { ...declared, command: "true", env: () => ({}) }).map({ env: [{ A: "1" }] });
  });
  const definition = dagDefinition.parse(JSON.parse(JSON.stringify(built[COMPILED_DAG].definition)));
  const found = definition.tasks.map(({ task_id, variables, connections }) => [task_id, variables, connections]);
  const names = [["bucket"], ["warehouse"]];
  expect(found).toEqual([
    ["pick", ...names],
    ["next", undefined, undefined],
    ["open", ...names],
    ["look", ...names],
    ["say", ...names],
  ]);
  const secrets = { variables: ["bucket"] } as never;
  expect(() => empty("a", secrets)).toThrow("the option variables is unknown");
  expect(() => waitFor("a", "1h", secrets)).toThrow("the option variables is unknown");
  expect(() => kubernetesPod("a", { image: "x", ...(secrets as object) })).toThrow(
    'task "a": variables are given to code that runs in a worker',
  );
});

test("a command gets them by a function that makes its environment", () => {
  const say = bash("say", {
    command: "true",
    variables: ["token"],
    connections: ["db"],
    env: ({ variables, connections }) => ({ TOKEN: variables.token, PGPASSWORD: connections.db.password }),
  });
  const compiled = dag("d", {}, () => void say())[COMPILED_DAG];
  expect(compiled.definition.tasks[0]).toMatchObject({ variables: ["token"], operator: { type: "bash", env: {} } });
  const runtime = { variables: { token: "t" }, connections: { db: { password: null } } } as unknown as TaskRuntime;
  expect(compiled.functions["say"]?.({}, runtime)).toEqual({ TOKEN: "t", PGPASSWORD: null });
  expect(() => bash("say", { command: "true", variables: ["token"], env: { A: "b" } })).toThrow(
    'task "say": variables are declared, but reach the command only through env: (',
  );
});

test("a callback declares its own, wherever it is called from", () => {
  const call = () => {};
  const tell = callback({ connections: ["chat"] }, call);
  const late = { after: "2h", callback: callback({ variables: ["pager"] }, call) } as const;
  const made = dag("d", { onFailure: tell, onSuccess: call, deadline: late }, () => {
    task("a", { variables: ["bucket"], onRetry: tell, onSkip: call }, () => 1)();
    task("b", { onSkip: callback({}, call) }, () => 1)();
  });
  expect(tell.call).toBe(call);
  const { definition, callbacks } = made[COMPILED_DAG];
  const parsed = dagDefinition.parse(JSON.parse(JSON.stringify(definition)));
  const chat = { connections: ["chat"] };
  expect(parsed.callback_secrets).toEqual({ failure: chat, deadline: { variables: ["pager"] } });
  expect(parsed.tasks.map(({ callback_secrets }) => callback_secrets)).toEqual([{ retry: chat }, undefined]);
  expect(Object.values(callbacks ?? {})).toEqual(Array.from({ length: 6 }, () => call));
});

test.each<[secrets: object, call: unknown, message: string]>([
  [{ variables: ["a b"] }, () => {}, "callback(): variables[0]"],
  [{ variabels: ["a"] }, () => {}, "the option variabels is unknown"],
  [{}, "mail", 'callback(): the last argument is "mail"'],
])("a callback with %j and %j is refused", (secrets, call, message) => {
  expect(() => callback(secrets, call as never)).toThrow(message);
});

test.each<[options: object, message: string]>([
  [{ variables: "bucket" }, 'variables is "bucket"'],
  [{ variables: ["a b"] }, "variables[0]"],
  [{ connections: [1] }, "connections[0]"],
  [{ variabels: ["bucket"] }, "the option variabels is unknown"],
])("%j is refused", (options, message) => {
  expect(() => task("reads", options, () => 1)).toThrow(message);
});
