import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type ExecutionServer,
  type ServedAttempt,
  type ServedTask,
  startExecutionServer,
} from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker, type WorkerBundle, type WorkerProcess } from "../../test/support/worker.ts";
import { WORKER_EXIT } from "../contract/worker-process.ts";
import { judgeExit } from "../executors/local-outcome.ts";

let worker: WorkerBundle;
beforeAll(async () => {
  worker = await bundleWorker();
});
afterAll(() => worker[Symbol.asyncDispose]());

interface Run extends WorkerProcess, AsyncDisposable {
  server: ExecutionServer;
  attempt: ServedAttempt;
}

async function run(
  task: ServedTask,
  prepare: (server: ExecutionServer) => void = () => {},
  wrapper: string[] = [],
): Promise<Run> {
  const server = await startExecutionServer();
  const attempt = server.serve(task);
  prepare(server);
  const started = startWorker(worker.file, server, attempt, wrapper);
  return {
    ...started,
    server,
    attempt,
    [Symbol.asyncDispose]: async () => {
      started.child.kill("SIGKILL");
      await server[Symbol.asyncDispose]();
      expect(server.faults).toEqual([]);
    },
  };
}

const events = (attempt: ServedAttempt) => attempt.lines.map((line) => line.event);

test("a result is reported, and inputs, params and context reach the function", async () => {
  await using it = await run({
    run: `return { sum: inputs.a + 1, params: runtime.params, task: runtime.task_id, aborted: runtime.signal.aborted, token: process.env.WINDLASS_LAUNCH_TOKEN ?? null };`,
    inputs: { a: 1 },
  });
  expect(await it.ended).toMatchObject({ code: WORKER_EXIT.reported, stderr: "" });
  expect(it.attempt.finishes).toEqual([
    { state: "success", result: { sum: 2, params: { colour: "green" }, task: "t", aborted: false, token: null } },
  ]);
  expect(it.attempt.starts[0]).toMatchObject({ pid: it.child.pid });
});

test("what a task is given in confidence is masked in its log and its error", async () => {
  await using it = await run({
    run: `console.log("using", runtime.variables.token); throw new Error("refused " + runtime.variables.token)`,
    variables: { token: "hunter22" },
    masked: ["hunter22"],
  });
  await it.ended;
  expect(events(it.attempt)).toEqual(["using ***"]);
  expect(it.attempt.finishes).toMatchObject([{ state: "failed", error: { message: "refused ***" } }]);
  expect(JSON.stringify(it.attempt.finishes)).not.toContain("hunter22");
});

test("a declared variable that does not exist fails the task before it runs, and is named", async () => {
  await using it = await run({
    run: `module.exports = { default: { [Symbol.for("windlass.dag")]: {
      definition: { dag_id: "d", tasks: [{ task_id: "t", variables: ["token"] }] },
      functions: { t: () => console.log("ran") } } } };`,
  });
  await it.ended;
  expect(events(it.attempt)).toEqual([]);
  expect(it.attempt.finishes).toMatchObject([
    { state: "failed", retryable: false, error: { message: expect.stringContaining('no variable "token"') } },
  ]);
});

test("open handles do not keep a finished task's process", async () => {
  await using it = await run({ run: `setInterval(() => {}, 1000); return 1;` });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
});

test("what a task throws is reported with its stack and its causes", async () => {
  await using it = await run({
    run: `function load() { throw new RangeError("no rows", { cause: new Error("the disk is full") }); }\n load();`,
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  const [report] = it.attempt.finishes;
  expect(report).toMatchObject({
    state: "failed",
    kind: "task_failed",
    retryable: true,
    error: { name: "RangeError", message: "no rows" },
  });
  const stack = report?.state === "failed" ? report.error.stack : null;
  expect(stack).toMatch(/at load \(windlass:bundle:1:\d+\)[\s\S]*Caused by: Error: the disk is full/);
});

test.for([
  ["no_retry", { state: "failed", kind: "task_failed", retryable: false }],
  ["skip", { state: "skipped", reason: "nothing to do" }],
] as const)("an error marked %s ends the task so", async ([mark, report]) => {
  await using it = await run({
    run: `throw Object.assign(new Error("nothing to do"), { [Symbol.for("windlass.${mark}")]: true });`,
  });
  await it.ended;
  expect(it.attempt.finishes).toMatchObject([report]);
});

test("an error that cannot be read is a failure all the same", async () => {
  await using it = await run({
    run: `throw Object.defineProperty(new Error("x"), "message", { get() { throw new Error("no"); } });`,
  });
  await it.ended;
  expect(it.attempt.finishes).toMatchObject([{ kind: "task_failed", error: { name: "UnreadableError" } }]);
});

test("a value that is no error can be thrown", async () => {
  await using it = await run({ run: `throw { code: 5 };` });
  await it.ended;
  expect(it.attempt.finishes).toMatchObject([
    { kind: "task_failed", error: { name: "NotAnError", message: "{ code: 5 }", stack: null } },
  ]);
});

test("an endless loop goes on heart-beating and ends at its timeout", async () => {
  await using it = await run({ run: `console.log("in"); for (;;);`, executionTimeout: 1, heartbeatInterval: 0.2 });
  const { signal, code } = await it.ended;
  expect([signal, code]).toEqual(["SIGKILL", null]);
  expect(it.attempt.finishes).toMatchObject([
    { state: "failed", kind: "timed_out", error: { message: "it ran longer than its execution timeout of 1 s" } },
  ]);
  expect(it.attempt.heartbeats).toBeGreaterThan(2);
  expect(events(it.attempt)).toEqual(["in"]);
});

// As in a pod, where the kernel drops a process's SIGKILL of itself.
const NEW_PID_SPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
const canUnshare = spawnSync(NEW_PID_SPACE[0] ?? "", [...NEW_PID_SPACE.slice(1), "true"]).status === 0;

test.runIf(canUnshare)("an endless loop ends at its timeout in a process that is PID 1, too", async () => {
  await using it = await run(
    { run: `console.log(process.pid); for (;;);`, executionTimeout: 0.5 },
    () => {},
    NEW_PID_SPACE,
  );
  // unshare passes on the exit code of its child, which a trap instruction ended.
  const { code, signal } = await it.ended;
  expect([code, signal]).not.toEqual([0, null]);
  expect(events(it.attempt)).toEqual(["1"]);
  expect(it.attempt.finishes).toMatchObject([{ state: "failed", kind: "timed_out" }]);
});

test("a task that heeds its AbortSignal cleans up at its timeout, and its own end is reported", async () => {
  await using it = await run({
    run: `await new Promise((_, reject) => { const alive = setInterval(() => {}, 1000); runtime.signal.addEventListener("abort", () => { clearInterval(alive); console.log("cleaned: " + runtime.signal.reason.name); reject(runtime.signal.reason); }); });`,
    executionTimeout: 0.3,
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([{ state: "failed", kind: "timed_out", retryable: true }]);
  expect(events(it.attempt)).toEqual(["cleaned: TimeoutError"]);
});

const UNTIL_ABORT = `console.log("ready"); const alive = setInterval(() => {}, 1000); await new Promise((done) => runtime.signal.addEventListener("abort", done)); clearInterval(alive);`;

test("after SIGTERM a task may finish, and what it returns counts", async () => {
  await using it = await run({ run: `${UNTIL_ABORT} return runtime.signal.reason.message;` });
  await it.server.until(() => it.attempt.lines.length > 0);
  it.child.kill("SIGTERM");
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toEqual([{ state: "success", result: expect.stringContaining("SIGTERM") }]);
});

test("after SIGTERM a failure is not reported: it is charged to whoever sent the signal", async () => {
  await using it = await run({ run: `${UNTIL_ABORT} console.log("giving up"); throw runtime.signal.reason;` });
  await it.server.until(() => it.attempt.lines.length > 0);
  it.child.kill("SIGTERM");
  expect((await it.ended).code).toBe(WORKER_EXIT.terminated);
  expect(it.attempt.finishes).toEqual([]);
  expect(events(it.attempt)).toEqual(["ready", "giving up"]);
});

test("a stop that a heartbeat brings ends the task as cancelled", async () => {
  await using it = await run({ run: `${UNTIL_ABORT} throw runtime.signal.reason;`, heartbeatInterval: 0.1 });
  await it.server.until(() => it.attempt.lines.length > 0);
  it.attempt.stop = "someone marked it failed";
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([
    { state: "failed", kind: "cancelled", retryable: false, error: { message: "someone marked it failed" } },
  ]);
});

test.for([
  ["an asynchronous", UNTIL_ABORT + "await new Promise(() => setInterval(() => {}, 1000));", null],
  ["a blocked", `console.log("ready"); for (;;);`, "SIGKILL"],
] as const)("%s task whose attempt is stale is stopped at once, without a report", async ([, body, signal]) => {
  await using it = await run({ run: body, heartbeatInterval: 0.1 });
  await it.server.until(() => it.attempt.lines.length > 0);
  it.attempt.stale = true;
  const end = await it.ended;
  expect([end.code, end.signal]).toEqual([signal === null ? WORKER_EXIT.stale : null, signal]);
  expect(it.attempt.finishes).toEqual([]);
  expect(end.stderr).toContain("no longer the current one");
});

test("a refused start is one line and an exit code", async () => {
  await using it = await run({ run: `return 1;` }, (server) => (server.intercept = () => 403));
  const { code, stderr } = await it.ended;
  expect(code).toBe(WORKER_EXIT.refused);
  expect(stderr).toBe("windlass worker: the start was refused with 403: told to answer 403\n");
});

test("every call is repeated while the API answers 500, 503 and 429", async () => {
  const failures: Record<string, number[]> = { start: [500, 503, 429], logs: [500, 429], finish: [503, 500] };
  await using it = await run({ run: `console.log("a line"); return 7;` }, (server) => {
    server.intercept = (action) => failures[action]?.shift() ?? null;
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toEqual([{ state: "success", result: 7 }]);
  expect(events(it.attempt)).toEqual(["a line"]);
});

test("an API that is away for a while costs nothing", async () => {
  await using it = await run({
    run: `for (let i = 0; i < 25; i += 1) { console.log(String(i)); await new Promise((next) => setTimeout(next, 100)); } return "done";`,
    heartbeatInterval: 0.2,
  });
  await it.server.until(() => it.attempt.heartbeats > 0);
  await it.server.goAway();
  // By the task's own clock: two seconds later it still runs, and prints.
  await new Promise<void>((resolve) => it.child.stdout?.on("data", (text) => String(text).includes("22") && resolve()));
  await it.server.comeBack();
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toEqual([{ state: "success", result: "done" }]);
  expect(events(it.attempt)).toEqual(Array.from({ length: 25 }, (_, index) => String(index)));
});

test.for([
  ["away", (it: Run): Promise<void> => it.server.goAway()],
  [
    "hanging",
    async (it: Run): Promise<void> => {
      it.server.intercept = () => "hang";
    },
  ],
] as const)("with the API %s for the heartbeat timeout, the worker fences itself", async ([, silence]) => {
  await using it = await run({
    run: `${UNTIL_ABORT} throw runtime.signal.reason;`,
    heartbeatInterval: 0.2,
    heartbeatTimeout: 1,
  });
  await it.server.until(() => it.attempt.heartbeats > 0);
  await silence(it);
  const { code, stderr } = await it.ended;
  expect(code).toBe(WORKER_EXIT.unreachable);
  expect(stderr).toContain("no heartbeat reached the API");
});

test("a start that was answered late is as good as any: the silence is counted from the try that was answered", async () => {
  const until = performance.now() + 1_500;
  await using it = await run({ run: `return 7;`, heartbeatInterval: 0.2, heartbeatTimeout: 1 }, (server) => {
    server.intercept = (action) => (action === "start" && performance.now() < until ? 503 : null);
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toEqual([{ state: "success", result: 7 }]);
});

test("a worker that fences itself while its task holds the main thread says so, and that it is no fault of the task's", async () => {
  await using it = await run({
    run: `await new Promise((next) => setTimeout(next, 400)); for (;;);`,
    heartbeatInterval: 0.2,
    heartbeatTimeout: 1,
  });
  await it.server.until(() => it.attempt.heartbeats > 0);
  await it.server.goAway();
  const { code, stderr } = await it.ended;
  expect(code).toBeNull();
  expect(judgeExit(code, "SIGKILL", stderr)).toMatchObject({ kind: "lost" });
});

test.for([
  [0, "called process.exit(0) before it returned, so it has no result"],
  [3, "called process.exit(3)"],
] as const)("process.exit(%i) is a failure that says so, and nothing runs after it", async ([code, message]) => {
  await using it = await run({
    run: `console.log("before"); try { process.exit(${code}); } finally { console.log("after"); }`,
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([
    { state: "failed", kind: "task_failed", exit_code: code, error: { name: "ProcessExit", message } },
  ]);
  expect(events(it.attempt)).toEqual(["before"]);
});

test.for([
  ["an unhandled rejection", `Promise.reject(new Error("forgotten"))`],
  ["an uncaught exception", `setTimeout(() => { throw new Error("forgotten"); })`],
])("%s fails the task with its stack", async ([, body]) => {
  await using it = await run({ run: `${body}; await new Promise((next) => setTimeout(next, 60_000));` });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([
    { kind: "task_failed", error: { message: "forgotten", stack: expect.stringContaining("windlass:bundle:") } },
  ]);
});

test("a task that waits for nothing is found out", async () => {
  await using it = await run({ run: `await new Promise(() => {});` });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([
    { kind: "task_failed", error: { message: expect.stringContaining("never settles") } },
  ]);
});

test("10,000 lines arrive complete and in order, and reach the real stdout too", async () => {
  await using it = await run({ run: `for (let i = 0; i < 10_000; i += 1) console.log("line " + i); return 1;` });
  const { code, stdout } = await it.ended;
  expect(code).toBe(WORKER_EXIT.reported);
  const expected = Array.from({ length: 10_000 }, (_, index) => `line ${index}`);
  expect(events(it.attempt)).toEqual(expected);
  expect(stdout).toBe(`${expected.join("\n")}\n`);
});

test("lines are joined, split, cleaned and told apart by stream", async () => {
  await using it = await run({
    run: `process.stdout.write("half "); process.stdout.write(Buffer.from([0xc3])); process.stdout.write(Buffer.from([0xa9])); process.stdout.write("\\nnul:\\0\\r\\n"); console.error("bad"); process.stdout.write("x".repeat(70_000)); return 1;`,
  });
  await it.ended;
  expect(it.attempt.lines.map(({ level, event }) => [level, event.length > 100 ? event.length : event])).toEqual([
    ["info", "half é"],
    ["info", "nul:\u2400"],
    ["error", "bad"],
    ["info", 65_536],
    ["info", 70_000 - 65_536],
  ]);
});

test("lines that the API cannot take in time are dropped and counted", async () => {
  let isAway = true;
  await using it = await run(
    {
      run: `for (let i = 0; i < 3_000; i += 1) console.log(i + "x".repeat(4_000)); console.error("blocked no more"); return 1;`,
    },
    (server) => {
      server.intercept = (action) => (action === "logs" && isAway ? 503 : null);
    },
  );
  // What the API does not take goes through to the real streams all the same.
  it.child.stderr?.once("data", () => (isAway = false));
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  const lost = it.attempt.lines.flatMap(({ event }) => Number(/(\d+) log lines are missing/.exec(event)?.[1] ?? 0));
  const kept = it.attempt.lines.length - lost.filter((count) => count > 0).length;
  expect(kept).toBeLessThan(3_001);
  expect(kept + lost.reduce((sum, count) => sum + count, 0)).toBe(3_001);
});

test.for([
  ["not JSON", `return { rows: [1, { when: new Date(0) }] };`, "result.rows[1].when is a Date, not plain JSON data"],
  [
    "too large",
    `return "x".repeat(300_000);`,
    "the result has 300002 bytes as JSON, at most 262144 are kept; write it with runtime.artifacts.write() and return what that gives",
  ],
] as const)("a result that is %s fails the task and says where", async ([, body, message]) => {
  await using it = await run({ run: body });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([{ kind: "task_failed", error: { name: "InvalidResult", message } }]);
});

test("a result that the API refuses is the task's failure", async () => {
  let finishes = 0;
  await using it = await run({ run: `return 1;` }, (server) => {
    server.intercept = (action) => (action === "finish" && (finishes += 1) === 1 ? 413 : null);
  });
  expect((await it.ended).code).toBe(WORKER_EXIT.reported);
  expect(it.attempt.finishes).toMatchObject([{ state: "failed", retryable: false, error: { name: "RefusedResult" } }]);
});

test("from process start to the first line of user code", async () => {
  await using server = await startExecutionServer();
  const times: number[] = [];
  for (let index = 0; index < 20; index += 1) {
    const attempt = server.serve({ run: `return performance.timeOrigin + performance.now();` });
    const before = performance.timeOrigin + performance.now();
    await startWorker(worker.file, server, attempt).ended;
    const [report] = attempt.finishes;
    times.push(report?.state === "success" ? Number(report.result) - before : Number.NaN);
  }
  times.sort((a, b) => a - b);
  const median = times[10];
  process.stdout.write(
    `worker start to first user line: median ${median?.toFixed(0)} ms of 20, fastest ${times[0]?.toFixed(0)} ms\n`,
  );
  expect(median).toBeLessThan(1_000);
});
