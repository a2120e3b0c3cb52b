import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker, type WorkerBundle } from "../../test/support/worker.ts";
import type { JsonObject } from "../core/json.ts";
import type { BashOperator } from "../core/operator.ts";

let worker: WorkerBundle;
let folder: string;
beforeAll(async () => {
  worker = await bundleWorker();
  folder = await mkdtemp(join(tmpdir(), "windlass-bash-"));
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Command extends Partial<BashOperator> {
  command: string;
  inputs?: JsonObject;
  /** The function of the bundle that makes its environment, as text. */
  makeEnv?: string;
  variables?: { [key: string]: string };
  executionTimeout?: number;
}

/** Runs it in a worker of its own; `during` may disturb it. */
async function run(
  { inputs, executionTimeout, makeEnv, variables, ...operator }: Command,
  during: (events: {
    said: (line: string) => Promise<void>;
    signal: (name: NodeJS.Signals) => void;
  }) => Promise<void> = async () => {},
) {
  await using server = await startExecutionServer();
  const definition = {
    dag_id: "d",
    tasks: [{ task_id: "t", operator: { type: "bash", env: {}, skip_on_exit_codes: [99], ...operator } }],
  };
  const functions = makeEnv === undefined ? "{}" : `{ t: ${makeEnv} }`;
  const dag = `{ definition: ${JSON.stringify(definition)}, functions: ${functions} }`;
  const attempt = server.serve({
    run: `module.exports = { d: { [Symbol.for("windlass.dag")]: ${dag} } };`,
    ...(variables ? { variables, masked: Object.values(variables) } : {}),
    ...(inputs ? { inputs } : {}),
    ...(executionTimeout ? { executionTimeout } : {}),
  });
  const { child, ended } = startWorker(worker.file, server, attempt);
  await during({
    said: (line) => server.until(() => attempt.lines.some(({ event }) => event === line)),
    signal: (name) => void child.kill(name),
  });
  const end = await ended;
  expect(server.faults).toEqual([]);
  return { ...end, lines: attempt.lines.map(({ level, event }) => `${level} ${event}`), report: attempt.finishes[0] };
}

/** A zombie that nobody has waited for yet does not run. */
function isRunning(pidFile: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${readFileSync(pidFile, "utf8").trim()}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("output is logged line by line, and the last line of stdout is the result", async () => {
  const { report, lines } = await run({ command: "echo one; echo oops >&2; printf 'two\\n\\n'" });
  expect(report).toEqual({ state: "success", result: "two" });
  expect(lines.toSorted()).toEqual(["error oops", "info ", "info one", "info two"]);
});

test("a command that says nothing has no result", async () => {
  expect((await run({ command: "true" })).report).toEqual({ state: "success", result: null });
});

test("values come as variables, which no shell reads as commands", async () => {
  const { report } = await run({
    command: 'echo "$OWN/$GIVEN/$COUNT/${GONE-none}/${WINDLASS_LAUNCH_TOKEN-none}"',
    env: { OWN: "own", GIVEN: "own", GONE: "own" },
    inputs: { env: { GIVEN: '"; touch /tmp/x; $(id) `id`', COUNT: 3, GONE: null } },
  });
  expect(report).toEqual({ state: "success", result: 'own/"; touch /tmp/x; $(id) `id`/3/none/none' });
});

test("secrets come by the names that its author chose, and are masked in its log and in its result", async () => {
  const { report, lines } = await run({
    command: `tr '\\0' ' ' < /proc/$$/cmdline; echo; echo "a $TOKEN"; set -x; : "$TOKEN"; echo "$OWN $TOKEN \${NONE-none}"`,
    env: { OWN: "own", TOKEN: "shadowed", NONE: "shadowed" },
    variables: { "shop.token": "hunter22-of-the-shop" },
    makeEnv: `(_, { variables }) => ({ TOKEN: variables["shop.token"], NONE: null })`,
  });
  expect(report).toEqual({ state: "success", result: "own *** none" });
  expect(lines).toContain("info a ***");
  expect(lines).toContain("error + : ***");
  expect(lines.join("\n")).not.toContain("hunter22");
  expect(lines.find((line) => line.includes("bash -c"))).not.toContain("***");
});

test("an environment that cannot be made fails the task", async () => {
  const { report } = await run({ command: "true", makeEnv: `() => ({ A: { b: 1 } })` });
  expect(report).toMatchObject({ state: "failed", error: { message: expect.stringContaining("env.A is an object") } });
});

test("an exit code fails the task with it, or skips it", async () => {
  expect((await run({ command: "exit 7" })).report).toMatchObject({
    state: "failed",
    kind: "task_failed",
    exit_code: 7,
    retryable: true,
    error: { name: "CommandFailed", message: "the command ended with exit code 7" },
  });
  expect((await run({ command: "kill -9 $$" })).report).toMatchObject({
    exit_code: 137,
    error: { message: "the command was ended by SIGKILL" },
  });
  expect((await run({ command: "exit 99" })).report).toMatchObject({ state: "skipped" });
  expect((await run({ command: "exit 99", skip_on_exit_codes: [] })).report).toMatchObject({ exit_code: 99 });
});

test("a value that is no text fails the task with its name", async () => {
  const { report } = await run({ command: "true", inputs: { env: { A: { b: 1 } } } });
  expect(report).toMatchObject({ state: "failed", error: { message: expect.stringContaining("env.A is an object") } });
});

test("its whole process group ends at the timeout, after it could clean up", async () => {
  const pid = join(folder, "pid");
  const { report, lines } = await run({
    command: `sleep 300 & echo $! > ${pid}; trap 'echo cleaned; exit 1' TERM; echo in; wait`,
    executionTimeout: 1,
  });
  expect(report).toMatchObject({ state: "failed", kind: "timed_out" });
  expect(lines).toEqual(["info in", "info cleaned"]);
  expect(isRunning(pid)).toBe(false);
});

test("a signal from outside reaches it, and nothing is reported", async () => {
  const { report, lines, code } = await run(
    { command: "trap 'echo told; exit 0' TERM; echo in; while :; do sleep 0.05; done" },
    async ({ said, signal }) => {
      await said("in");
      signal("SIGTERM");
    },
  );
  expect(lines).toContain("info told");
  expect([report, code]).toEqual([undefined, 143]);
});

test("what it leaves in the background does not hold the task up", async () => {
  const pid = join(folder, "background");
  const { report } = await run({ command: `sleep 300 & echo $! > ${pid}; echo done` });
  expect(report).toEqual({ state: "success", result: "done" });
  expect(isRunning(pid)).toBe(false);
});

test("a command may open our streams anew, as /dev/stdout and /dev/stderr", async () => {
  const { lines, report } = await run({ command: "echo out > /dev/stdout; echo err > /dev/stderr; echo $?" });
  expect(lines.toSorted()).toEqual(["error err", "info 0", "info out"]);
  expect(report).toEqual({ state: "success", result: "0" });
});
