import { dag, kubernetesPod, task } from "windlass";
import { expect, test } from "vitest";
import * as z from "zod";
import { COMPILED_DAG, type CompiledDag } from "./compiled.ts";

const hello = () =>
  kubernetesPod("hello", { image: "python:3.12-slim", cmds: ["python", "-c", "print('hello world')"] });
const tasksOf = (made: { [COMPILED_DAG]: CompiledDag }) => made[COMPILED_DAG].definition.tasks;

test("a pod in its shortest form", () => {
  const made = dag("d", {}, () => {
    hello()();
  });
  expect(made[COMPILED_DAG].functions).toEqual({});
  expect(tasksOf(made)).toEqual([
    {
      task_id: "hello",
      kind: "pod",
      upstream: [],
      trigger_rule: "all_success",
      inputs: {},
      retries: 0,
      retry_delay: 300,
      execution_timeout: null,
      pod: null,
      container: {
        image: "python:3.12-slim",
        cmds: ["python", "-c", "print('hello world')"],
        arguments: null,
        env: {},
        get_logs: true,
        skip_on_exit_codes: [],
      },
      description: null,
    },
  ]);
});

test("every option, with edges by data in both directions and by order", () => {
  const list = task("list", () => ["a", "b"]);
  const load = kubernetesPod<{ rows: number }>("load", {
    image: "loader:1",
    cmds: ["load"],
    arguments: ["--all"],
    env: { STAGE: "test" },
    getLogs: false,
    skipOnExitCodes: [99],
    retries: 2,
    retryDelay: "1m",
    executionTimeout: "1h",
    triggerRule: "all_done",
    description: "Loads",
    cluster: "gpu",
    pod: { resources: { requests: { cpu: "100m" } } },
  });
  const count = task("count", ({ rows }: { rows: number }) => rows);
  const made = dag(
    "d",
    { params: z.object({ day: z.string() }), defaults: { pod: { env: { A: "1" } } } },
    ({ params, run }) => {
      const first = hello()();
      const loaded = load({ env: { DAY: params.day, DATE: run.logical_date, N: 3 }, arguments: ["--day", params.day] });
      count({ rows: loaded.get("rows") });
      load.as("load_files")({ arguments: list.as("files")() });
      first.before(loaded);
    },
  );
  const byId = new Map(tasksOf(made).map((one) => [one.task_id, one]));
  expect(byId.get("load")).toMatchObject({
    kind: "pod",
    upstream: ["hello"],
    trigger_rule: "all_done",
    inputs: {
      env: {
        kind: "object",
        fields: {
          DAY: { kind: "param", path: ["day"] },
          DATE: { kind: "run", field: "logical_date" },
          N: { kind: "value", value: 3 },
        },
      },
      arguments: {
        kind: "array",
        items: [
          { kind: "value", value: "--day" },
          { kind: "param", path: ["day"] },
        ],
      },
    },
    retries: 2,
    retry_delay: 60,
    execution_timeout: 3600,
    description: "Loads",
    container: {
      image: "loader:1",
      cmds: ["load"],
      arguments: ["--all"],
      env: { STAGE: "test" },
      get_logs: false,
      skip_on_exit_codes: [99],
      cluster: "gpu",
    },
  });
  expect(byId.get("load_files")).toMatchObject({ upstream: ["files"], container: { image: "loader:1" } });
  expect(byId.get("count")).toMatchObject({ upstream: ["load"], container: null });
});

// The casts play an author whose editor does not check types: files are run without a type check.
const call = (inputs: unknown) => () =>
  dag("d", {}, () => {
    hello()(inputs as never);
  });
const make = (options: object) => () => kubernetesPod("p", { image: "x", ...options });

test.each<[string, () => unknown, RegExp]>([
  ["no image", make({ image: undefined }), /task "p": image is undefined\. Name an image/],
  ["an image's name that can be none", make({ image: "Python:3" }), /task "p": image is "Python:3"\. Name an image/],
  ["a command as text", make({ cmds: "python" }), /task "p": cmds is "python"\. Use a list/],
  ["a number as an argument", make({ arguments: ["-n", 1] }), /task "p": arguments\[1\] is 1/],
  ["an object as a variable", make({ env: { A: { b: "1" } } }), /task "p": env\.A is an object.*JSON\.stringify/],
  ["an exit code out of range", make({ skipOnExitCodes: [0] }), /task "p": skipOnExitCodes must be/],
  ["a misspelt option", make({ command: ["x"] }), /task "p": the option command is unknown/],
  ["a flag as text", make({ getLogs: "no" }), /task "p": getLogs is "no"/],
  ["a cluster's name that can be none", make({ cluster: "GPU_1" }), /task "p": cluster is "GPU_1"\. Use a name from/],
  [
    "a cluster for a worker's task",
    () => task("p", { cluster: "gpu" } as object, () => 1),
    /task "p": the option cluster is unknown/,
  ],
  ["an object as a variable of a call", call({ env: { A: { b: "1" } } }), /DAG "d", task "hello": env\.A is an object/],
  ["a list as a variable of a call", call({ env: { A: ["1"] } }), /task "hello": env\.A is a list/],
  ["text as an environment", call({ env: "A=1" }), /task "hello": env must be an object/],
  ["null as an argument", call({ arguments: [null] }), /task "hello": arguments\[0\] is null/],
  ["text as arguments", call({ arguments: "-v" }), /task "hello": arguments must be a list/],
  ["a misspelt input", call({ environment: {} }), /task "hello": the option environment is unknown/],
])("%s is an error that names the place", (_, body, message) => {
  expect(body).toThrow(message);
});
