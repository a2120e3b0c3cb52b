import { describe, expect, test } from "vitest";
import { container, ended, pod } from "../../test/support/pod-snapshots.ts";
import {
  containerExits,
  findContainerFaults,
  judgeMessage,
  readContainerResult,
  resolveContainer,
} from "./container.ts";
import type { ContainerDefinition, Expression, TaskDefinition } from "./definition.ts";
import { resolveInputs } from "./inputs.ts";
import type { Json } from "./json.ts";
import { judgeGonePod, judgePod } from "./pod-outcome.ts";

const DEFINITION: ContainerDefinition = {
  image: "python:3.12-slim",
  cmds: ["python", "-c", "print('hello world')"],
  arguments: ["--stage", "test"],
  env: { STAGE: "$(LEVEL)" },
  get_logs: true,
  skip_on_exit_codes: [99],
};
const value = (of: Json): Expression => ({ kind: "value", value: of });
const param = (...path: string[]): Expression => ({ kind: "param", path });
const taskWith = (inputs: TaskDefinition["inputs"], timeout: number | null = null): TaskDefinition => ({
  task_id: "t",
  kind: "pod",
  upstream: [],
  trigger_rule: "all_success",
  inputs,
  retries: 0,
  retry_delay: 0,
  execution_timeout: timeout,
  pod: null,
  container: DEFINITION,
  description: null,
});
const run = {
  dag_id: "d",
  run_id: "r",
  run_type: "manual",
  logical_date: null,
  data_interval_start: null,
  data_interval_end: null,
  run_after: "2026-01-01T00:00:00.000Z",
};

function resolve(
  inputs: TaskDefinition["inputs"],
  params: { [name: string]: Json } = {},
  timeout: number | null = null,
) {
  const task = taskWith(inputs, timeout);
  return resolveContainer(task, DEFINITION, resolveInputs(task, { params, results: new Map(), run, items: new Map() }));
}

describe("a container's environment and arguments", () => {
  test("are the task's own without inputs", () => {
    expect(resolve({}, {}, 1.5)).toEqual({
      kind: "resolved",
      container: {
        image: "python:3.12-slim",
        cmds: ["python", "-c", "print('hello world')"],
        arguments: ["--stage", "test"],
        env: { STAGE: "$(LEVEL)" },
        skip_on_exit_codes: [99],
        result_file: null,
        active_deadline: 1.5,
      },
    });
  });

  test("take inputs as text; null leaves a variable out", () => {
    const env: Expression = { kind: "object", fields: { N: param("n"), ON: value(true), STAGE: param("missing") } };
    const resolved = resolve({ env, arguments: { kind: "array", items: [value("-n"), param("n")] } }, { n: 3 });
    expect(resolved).toMatchObject({ container: { env: { N: "3", ON: "true" }, arguments: ["-n", "3"] } });
    expect(resolved).not.toHaveProperty("container.env.STAGE");
  });

  test("expand $(NAME) where the author wrote it, and never out of data", () => {
    const env: Expression = { kind: "object", fields: { OWN: value("$(STAGE)"), DATA: param("data") } };
    const items = [value("$(STAGE)"), param("data")];
    expect(resolve({ env, arguments: { kind: "array", items } }, { data: "$(STAGE) costs $$5" })).toMatchObject({
      container: {
        env: { OWN: "$(STAGE)", DATA: "$$(STAGE) costs $$$$5" },
        arguments: ["$(STAGE)", "$$(STAGE) costs $$$$5"],
      },
    });
    expect(resolve({ env: param("all") }, { all: { A: "$x" } })).toMatchObject({ container: { env: { A: "$$x" } } });
  });

  test.each<[string, TaskDefinition["inputs"], Json, RegExp]>([
    [
      "an object",
      { env: { kind: "object", fields: { A: param("it") } } },
      { b: 1 },
      /env\.A is an object, but must be/,
    ],
    ["a list", { env: { kind: "object", fields: { A: param("it") } } }, [1], /env\.A is a list/],
    ["null as an argument", { arguments: { kind: "array", items: [param("it")] } }, null, /arguments\[0\] is null/],
    ["text as the environment", { env: param("it") }, "A=1", /env is the string A=1, but must be an object/],
    ["null as the environment", { env: param("it") }, null, /env is null/],
    ["text as the arguments", { arguments: param("it") }, "-v", /arguments is the string -v, but must be a list/],
    ["a name that none may have", { env: param("it") }, { "A=B": "1" }, /env\.A=B is not a name/],
  ])("are refused with their path when the run gives %s", (_, inputs, it, reason) => {
    expect(resolve(inputs, { it })).toMatchObject({ kind: "fault", reason: expect.stringMatching(reason) });
  });

  test.each<[string, TaskDefinition["inputs"], string | null]>([
    ["references", { env: { kind: "object", fields: { A: param("a") } }, arguments: param("b") }, null],
    ["scalars and null", { env: value({ A: "1", B: 2, C: null }), arguments: value(["x", 1, true]) }, null],
    ["another input", { image: value("x") }, "image"],
    ["an object", { env: value({ A: { b: "1" } }) }, "env.A"],
    ["an object with references", { env: { kind: "object", fields: { A: { kind: "object", fields: {} } } } }, "env.A"],
    ["a name that none may have", { env: value({ "A B": "1" }) }, "env.A B"],
    ["a list as the environment", { env: value(["A"]) }, "env"],
    ["a null argument", { arguments: value(["a", null]) }, "arguments[1]"],
    ["a list in the arguments", { arguments: { kind: "array", items: [param("a"), value([1])] } }, "arguments[1]"],
    ["text as the arguments", { arguments: value("a") }, "arguments"],
  ])("are judged before the run: %s", (_, inputs, path) => {
    expect(findContainerFaults(inputs).map((fault) => fault.path)).toEqual(path === null ? [] : [path]);
  });
});

describe("the end of a container without a worker", () => {
  const exits = containerExits([99]);
  const judge = (code: number, message: string | null = null) =>
    judgePod(
      pod({ phase: code === 0 ? "Succeeded" : "Failed", containers: [container(ended(code, { message }))] }),
      exits,
    ).outcome;

  test("is its exit code", () => {
    expect(judge(0)).toMatchObject({ kind: "success", exit_code: 0 });
    expect(judge(99, "no file today")).toMatchObject({
      kind: "skipped",
      exit_code: 99,
      reason: "The container exited with code 99, which skips the task: no file today",
    });
    expect(judge(2, "no such table")).toMatchObject({
      kind: "task_failed",
      exit_code: 2,
      reason: "The container exited with code 2: no such table",
    });
    // What a worker says by these codes, an image that knows no worker does not.
    expect(judge(75)).toMatchObject({ kind: "task_failed", exit_code: 75 });
  });

  test("is still success when only the phase tells, and when the pod has gone since", () => {
    expect(judgePod(pod({ phase: "Succeeded" }), exits).outcome).toMatchObject({ kind: "success" });
    const left = pod({ phase: "Succeeded", containers: [container(ended(0))] });
    expect(judgeGonePod(left, exits)).toMatchObject({ kind: "success" });
  });

  test("is the cluster's where the cluster caused it", () => {
    const judged = judgePod(
      pod({ phase: "Failed", reason: "Evicted", containers: [container(ended(99))] }),
      exits,
    ).outcome;
    expect(judged?.kind).toBe("evicted");
    const late = pod({ phase: "Failed", reason: "DeadlineExceeded", containers: [container(ended(137))] });
    expect(judgePod(late, exits).outcome?.kind).toBe("timed_out");
    const cannot = container(ended(128, { reason: "StartError", message: 'exec: "python": not found' }));
    expect(judgePod(pod({ phase: "Failed", containers: [cannot] }), exits).outcome).toMatchObject({
      kind: "configuration_error",
      reason: expect.stringContaining('"python": not found'),
    });
  });
});

test.each<[string, string | null, Json]>([
  ["an object", '{"rows": 3}\n', { rows: 3 }],
  ["a number", "7", 7],
  ["free text", "all done", null],
  ["nothing", null, null],
])("the result of %s in the termination message", (_, message, result) => {
  expect(readContainerResult(pod({ containers: [container(ended(0, { message }))] }))).toEqual(result);
  expect(readContainerResult(pod({ containers: [] }))).toBeNull();
});

test.each<[string, string, containers: number, kind: string]>([
  ["JSON", '{"rows":3}', 1, "success"],
  ["free text", "all went well", 1, "success"],
  ["JSON that fills it", `"${"x".repeat(4_094)}"`, 1, "success"],
  ["the last 4 KiB of more JSON", `${"x".repeat(4_095)}"`, 1, "task_failed"],
  [
    "JSON that is cut at the end, because three containers share 12 KiB with others",
    `"${"x".repeat(2_047)}`,
    6,
    "task_failed",
  ],
  ["free text of that length, of fewer containers", "x".repeat(2_048), 3, "success"],
  [
    "what the node says that it could not read",
    "Error on reading termination log /var/x: input/output error",
    1,
    "lost",
  ],
  ["a cut inside of a character, which the node replaces", `\ufffd${"x".repeat(4_094)}"`, 1, "task_failed"],
])("a message that is %s", (_, message, containers, kind) => {
  const others = Array.from({ length: containers - 1 }, (__, index) => container(ended(0), { name: `c${index}` }));
  const seen = pod({ containers: [container(ended(0, { message })), ...others] });
  const outcome = judgeMessage(seen, judgePod(seen, containerExits([])).outcome);
  expect(outcome?.kind).toBe(kind);
  if (kind === "task_failed") expect(outcome?.reason).toMatch(/cannot be used: .*kept only \d+ bytes.*option result/);
});

test("a message that was cut changes no other end", () => {
  const seen = pod({ containers: [container(ended(3, { message: "x".repeat(4_096) }))] });
  const { outcome } = judgePod(seen, containerExits([]));
  expect(judgeMessage(seen, outcome)).toBe(outcome);
  expect(judgeMessage(null, null)).toBeNull();
});
