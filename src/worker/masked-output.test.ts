// What a task is given in confidence, in whatever way it is written: neither the log nor the process's own output, which
// clusters keep and quote, shows it or a part of it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker, type WorkerBundle } from "../../test/support/worker.ts";
import { judgeExit } from "../executors/local-outcome.ts";

const TOKEN = "hunter22-of-the-shop";
const LONGEST_LINE = 65_536;

let worker: WorkerBundle;
beforeAll(async () => {
  worker = await bundleWorker();
});
afterAll(() => worker[Symbol.asyncDispose]());

async function run(body: string, masked = [TOKEN]) {
  await using server = await startExecutionServer();
  const prelude = `const { token } = runtime.variables; const fs = require("fs"); const children = require("child_process");`;
  const attempt = server.serve({ run: `${prelude} ${body}`, variables: { token: masked[0] ?? "" }, masked });
  const end = await startWorker(worker.file, server, attempt).ended;
  expect(server.faults).toEqual([]);
  const linesOf = (wanted: string) => attempt.lines.flatMap(({ level, event }) => (level === wanted ? [event] : []));
  return { ...end, lines: linesOf("info"), errors: linesOf("error"), report: attempt.finishes[0] };
}

const CUT = `"x".repeat(${LONGEST_LINE - 4}) + token + "y".repeat(${LONGEST_LINE})`;
const CUT_SHOWN = `${"x".repeat(LONGEST_LINE - 4)}***${"y".repeat(LONGEST_LINE)}`;
const SPEAK = JSON.stringify("printf '%s' hunter22-of; sleep 0.1; echo -the-shop; echo hunter22-of-the-shop >&2");

test.for<[way: string, body: string, shown: string]>([
  ["a stream", `console.log("a " + token + " b");`, "a *** b\n"],
  [
    "a stream in pieces",
    `for (const unit of "a " + token) process.stdout.write(unit); console.log(" b");`,
    "a *** b\n",
  ],
  ["a stream's bytes", `process.stdout.write(Buffer.from(token.slice(0, 3))); console.log(token.slice(3));`, "***\n"],
  ["a stream in another encoding", `process.stdout.write(Buffer.from(token).toString("hex"), "hex");`, "***"],
  ["a descriptor", `if (fs.writeSync(1, token + "\\n") !== 21) throw new Error("wrong count");`, "***\n"],
  ["a descriptor's part", `fs.writeSync(1, Buffer.from("--" + token + "\\n--"), 2, 21);`, "***\n"],
  [
    "a descriptor, later",
    `const { promisify } = require("util"); const bytes = Buffer.from("--" + token + "\\n");
      const { bytesWritten, buffer } = await promisify(fs.write)(1, bytes, { offset: 2 });
      if (bytesWritten !== 21 || buffer !== bytes) throw new Error("wrong answer");`,
    "***\n",
  ],
  ["a line too long for one", `console.log(${CUT});`, `${CUT_SHOWN}\n`],
  [
    "a line too long, in pieces",
    `for (let i = 0, all = ${CUT}; i < all.length; i += 9999) process.stdout.write(all.slice(i, i + 9999));`,
    CUT_SHOWN,
  ],
  ["an end that only begins as a secret", `process.stdout.write("a hunter22-of-the");`, "a hunter22-of-the"],
  ["a process that inherits the streams", `children.execSync(${SPEAK}, { stdio: "inherit" });`, "***\n"],
  [
    "a process's line that is too long",
    `children.execFileSync("node", ["-e", 'process.stdout.write("x".repeat(${LONGEST_LINE - 4}) + "hunter22-of-the-shop" + "y".repeat(${LONGEST_LINE}))'],
      { stdio: "inherit", env: { PATH: process.execPath.replace(/.node$/, "") } });`,
    CUT_SHOWN,
  ],
])("is masked in the log and in the process's own output: %s", async ([, body, shown]) => {
  const { lines, errors, stdout, stderr, report } = await run(body);
  expect(report).toMatchObject({ state: "success" });
  expect(stdout).toBe(shown);
  expect(lines.join("")).toBe(shown.replaceAll("\n", ""));
  expect(`${stderr}${errors.join("")}`).not.toContain("hunter22");
});

test("each line of a secret of several lines is masked, whatever stands between them", async () => {
  const key = "-----BEGIN KEY-----\nc2VjcmV0LW9uZQ\nc2VjcmV0LXR3bw==\n-----END KEY-----\n";
  const { lines, stdout } = await run(
    `for (const line of token.split("\\n")) console.log("[loader] " + line); console.log({ token });`,
    [key],
  );
  expect(lines.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => "[loader] ***"));
  expect(`${lines.join("\n")} ${stdout}`).not.toMatch(/c2Vjcm|KEY/);
});

test("bytes that are no text reach the process's own output as they are, where nothing is to be hidden", async () => {
  await using server = await startExecutionServer();
  const attempt = server.serve({ run: `process.stdout.write(Buffer.from([0x66, 0xff, 0xfe, 0x0a]));` });
  const { child, ended } = startWorker(worker.file, server, attempt);
  child.stdout?.setEncoding("latin1");
  expect((await ended).stdout).toBe("f\xff\xfe\n");
});

test("what a killed process wrote last, which becomes its reason, shows none", async () => {
  const { code, signal, stderr } = await run(
    `console.error("signing in with " + token); process.kill(process.pid, "SIGKILL"); await new Promise(() => {});`,
  );
  expect(judgeExit(code, signal, stderr).reason).toContain("its last words: signing in with ***");
});

test.for([
  ["a message", `throw new Error("x".repeat(16_380) + token);`],
  ["a stack", `throw Object.assign(new Error("no"), { stack: "x".repeat(65_530) + token });`],
  ["a name", `throw Object.assign(new Error("no"), { name: "x".repeat(1_020) + token });`],
  ["a skip", `throw Object.assign(new Error("x".repeat(4_090) + token), { [Symbol.for("windlass.skip")]: true });`],
  [
    "a cause",
    `const cause = Object.assign(new Error(), { stack: "x".repeat(65_518) + token });
      throw Object.assign(new Error("no", { cause }), { stack: "E" });`,
  ],
  ["no error", `throw { deep: { token: "x".repeat(16_300) + token } };`],
] as const)("what is cut off an end does not leave the beginning of a secret: %s", async ([, body]) => {
  const { report } = await run(body);
  expect(report?.state).toMatch(/failed|skipped/);
  expect(JSON.stringify(report)).toMatch(/\*\*\*|…/);
  expect(JSON.stringify(report)).not.toContain("hu");
});
