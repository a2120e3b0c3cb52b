import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServedTask, startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker, type WorkerBundle } from "../../test/support/worker.ts";

let worker: WorkerBundle;
beforeAll(async () => {
  worker = await bundleWorker();
});
afterAll(() => worker[Symbol.asyncDispose]());

async function run(body: string, task: Omit<ServedTask, "run"> = {}) {
  await using server = await startExecutionServer();
  const attempt = server.serve({ run: `const children = require("node:child_process"); ${body}`, ...task });
  const end = await startWorker(worker.file, server, attempt).ended;
  expect(server.faults).toEqual([]);
  const lines = attempt.lines.map(({ level, event }) => `${level} ${event}`);
  expect(attempt.lines.map(({ seq }) => seq)).toEqual(attempt.lines.map((_, index) => index));
  return { ...end, lines, report: attempt.finishes[0] };
}

const ENDED = `await new Promise((ended) => child.once("exit", ended));`;
const SPEAK = `"echo out; echo err >&2"`;

test.for([
  ["spawn", `const child = children.spawn("sh", ["-c", ${SPEAK}], { stdio: "inherit" }); ${ENDED}`],
  ["spawn with a shell", `const child = children.spawn(${SPEAK}, { shell: true, stdio: "inherit" }); ${ENDED}`],
  [
    "spawn with our streams",
    `const child = children.spawn("sh", ["-c", ${SPEAK}], { stdio: [0, process.stdout, 2] }); ${ENDED}`,
  ],
  ["spawnSync", `children.spawnSync("sh", ["-c", ${SPEAK}], { stdio: ["ignore", "inherit", "inherit"] });`],
  ["execSync", `children.execSync(${SPEAK}, { stdio: "inherit" });`],
  ["execFileSync", `children.execFileSync("sh", ["-c", ${SPEAK}], { stdio: "inherit" });`],
  [
    "fork",
    `const { writeFileSync, mkdtempSync, rmSync } = require("fs");
      const folder = mkdtempSync("/tmp/windlass-fork-"); const file = folder + "/speak.cjs";
      writeFileSync(file, 'console.log("out"); console.error("err"); process.send("hello"); process.disconnect();');
      const child = children.fork(file); const said = [];
      child.on("message", (message) => said.push(message)); ${ENDED} rmSync(folder, { recursive: true });
      if (said[0] !== "hello") throw new Error("it has no channel");`,
  ],
] as const)("what a process writes that inherits our streams is in the log: %s", async ([, body]) => {
  const { lines, stdout, stderr, report } = await run(body);
  expect(report).toMatchObject({ state: "success" });
  expect(lines.toSorted()).toEqual(["error err", "info out"]);
  expect([stdout, stderr]).toEqual(["out\n", "err\n"]);
});

test("what the task and its processes write stays in order", async () => {
  const { lines } = await run(`for (let i = 0; i < 20; i += 1) {
    console.log("before " + i);
    children.execSync("echo one; echo two; echo three", { stdio: "inherit" });
    console.log("after " + i);
  }`);
  const expected = Array.from({ length: 20 }, (_, i) => [`before ${i}`, "one", "two", "three", `after ${i}`]).flat();
  expect(lines).toEqual(expected.map((line) => `info ${line}`));
});

test("the log grows while the task stands still for a process, which can open our streams anew", async () => {
  await using server = await startExecutionServer();
  const command = "echo $$ > /dev/stdout; echo also > /dev/stderr; exec sleep 600";
  const attempt = server.serve({
    run: `require("child_process").execSync(${JSON.stringify(command)}, { stdio: "inherit" });`,
  });
  const { ended } = startWorker(worker.file, server, attempt);
  await server.until(() => attempt.lines.length === 2);
  const [pid, ...others] = attempt.lines.map(({ event }) => event).toSorted();
  expect(others).toEqual(["also"]);
  process.kill(Number(pid), "SIGKILL");
  await ended;
  expect(attempt.finishes).toMatchObject([{ state: "failed" }]);
});

test("much output arrives whole, and masked", async () => {
  const { lines, stdout } = await run(`children.execSync("seq 1 200000; echo hunter22", { stdio: "inherit" });`, {
    masked: ["hunter22"],
  });
  expect(lines.length).toBe(200_001);
  expect(lines.slice(-2)).toEqual(["info 200000", "info ***"]);
  expect(stdout.length).toBe(1_288_895 + "***\n".length);
});

test("a process does not wait for an API that takes no lines, and the log says what is missing", async () => {
  await using server = await startExecutionServer();
  server.intercept = (action) => (action === "logs" ? 503 : null);
  const attempt = server.serve({
    run: `require("child_process").execSync("seq 1 400000", { stdio: "inherit" }); console.log("it has ended");`,
  });
  const { child, ended } = startWorker(worker.file, server, attempt);
  await new Promise<void>((resolve) =>
    child.stdout?.on("data", (text: string) => text.includes("it has ended") && resolve()),
  );
  server.intercept = () => null;
  await ended;
  const lines = attempt.lines.map(({ event }) => event);
  expect(lines.slice(0, 2)).toEqual(["1", "2"]);
  expect(lines.slice(-2)).toEqual([
    "it has ended",
    expect.stringMatching(/^\[windlass\] output of processes is missing/),
  ]);
  expect(lines.length).toBeLessThan(400_000);
}, 60_000);

test("output that is asked for otherwise stays with who asks for it", async () => {
  const { lines, report } = await run(`
    const { promisify } = require("util");
    return [
      children.execSync("echo a").toString(),
      children.spawnSync("echo", ["b"], { stdio: ["inherit", "pipe", "inherit"], encoding: "utf8" }).stdout,
      (await promisify(children.exec)("echo c")).stdout,
      children.spawnSync("echo", ["d"], { stdio: "ignore" }).stdout,
      children.spawnSync("echo", ["e"], { stdio: "inherit" }).stdout,
    ];`);
  expect(report).toEqual({ state: "success", result: ["a\n", "b\n", "c\n", null, null] });
  expect(lines).toEqual(["info e"]);
});

test("a process that goes on in the background does not keep the task", async () => {
  const { lines, report } = await run(
    `return children.spawn("sh", ["-c", "echo begun; exec sleep 600"], { stdio: "inherit", detached: true }).pid;`,
  );
  expect(lines).toEqual(["info begun"]);
  expect(report).toMatchObject({ state: "success", result: expect.any(Number) });
  if (report?.state === "success") process.kill(Number(report.result), "SIGKILL");
});

test("a task that cannot have pipes is told so, and its processes run all the same", async () => {
  const { lines, stdout, report } = await run(
    `process.env.PATH = "/nowhere"; children.execFileSync("/bin/echo", ["out"], { stdio: "inherit" }); return 1;`,
  );
  expect(report).toMatchObject({ state: "success" });
  expect(stdout).toBe("out\n");
  expect(lines).toEqual([
    expect.stringMatching(/^error \[windlass\] what processes write .* is not in this log: .*mkfifo/),
  ]);
});

test.for([
  ["writeSync", `const fs = require("fs"); fs.writeSync(1, "out\\n"); fs.writeSync(2, Buffer.from("xerr\\n"), 1);`],
  [
    "write",
    `const fs = require("fs"); const { promisify } = require("util");
    await promisify(fs.write)(1, "out\\n"); await promisify(fs.write)(2, Buffer.from("xerr\\n"), { offset: 1 });`,
  ],
] as const)("what a logger writes by the descriptors' numbers is in the log: %s", async ([, body]) => {
  const { lines, stdout, stderr } = await run(body);
  expect(lines).toEqual(["info out", "error err"]);
  expect([stdout, stderr]).toEqual(["out\n", "err\n"]);
});
