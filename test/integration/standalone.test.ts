// The product on one machine, as a user has it: `bin/windlass standalone` as a process of its own, asked over HTTP.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findFreePort } from "../../src/cli/free-port.ts";
import { createRestClient, type RestClient } from "../../src/cli/rest-client.ts";
import { importErrorsAnswer } from "../../src/contract/rest-installation.ts";
import { resultAnswer } from "../../src/contract/rest-task-instances.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { type Process, startProcess } from "../cluster/support/processes.ts";
import { listTasks, readLog, triggerRun, waitForDag, waitForRun } from "../cluster/support/runs.ts";

const EFFECT_MS = 2_000;

let folder: string;
let dags: string;
let port: number;
let rest: RestClient;
let running: Process | null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-standalone-"));
  dags = await mkdtemp(join(tmpdir(), "windlass-dags-"));
  port = await findFreePort();
  rest = createRestClient(`http://127.0.0.1:${port}`, null);
  running = null;
});
afterEach(async () => {
  await running?.stop();
  await Promise.all([folder, dags].map((path) => rm(path, { recursive: true, force: true })));
});

async function start(env: Record<string, string> = {}): Promise<Process> {
  const environment = {
    PATH: process.env["PATH"] ?? "",
    WINDLASS_DATA_FOLDER: folder,
    WINDLASS_DAGS_FOLDER: dags,
    WINDLASS_LISTEN_PORT: String(port),
    ...env,
  };
  running = await startProcess(["standalone"], environment, "Windlass serves on");
  return running;
}

const write = (name: string, text: string) => writeFile(join(dags, name), text);

const hello = (word: string) => `
import { dag, task } from "windlass";
const greet = task("greet", () => {
  console.log("saying ${word}");
  return "${word}";
});
export default dag("hello", {}, () => {
  greet();
});
`;

it("takes up a file that is dropped, changed, broken and deleted, each within 2 seconds", async () => {
  await start();
  const runHello = async () => {
    const runId = await triggerRun(rest, "hello");
    const { run } = await waitForRun(rest, "hello", runId);
    expect(run.state).toBe("success");
    const path = `/api/v2/dags/hello/dagRuns/${encodeURIComponent(runId)}/taskInstances/greet/xcomEntries/return_value`;
    return { runId, value: (await rest.get(path, resultAnswer)).value };
  };
  const within = async <T>(ask: () => Promise<T>, fits: (answer: T) => boolean) => {
    await pollUntil(ask, fits, (answer) => JSON.stringify(answer), EFFECT_MS);
  };

  const dropped = systemClock.monotonic();
  await write("hello.ts", hello("one"));
  await waitForDag(rest, "hello");
  expect(systemClock.monotonic() - dropped).toBeLessThan(EFFECT_MS);
  const first = await runHello();
  expect(first.value).toBe("one");
  expect(await readLog(rest, "hello", first.runId, "greet", 1)).toBe("saying one");

  await write("hello.ts", hello("one").replace("greet();", "greet(;"));
  await within(
    () => rest.get("/api/v2/importErrors", importErrorsAnswer),
    ({ import_errors }) => import_errors.some((one) => one.filename === "hello.ts" && one.stack_trace.includes("8")),
  );
  expect((await runHello()).value).toBe("one");

  await write("hello.ts", hello("two"));
  await within(
    () => rest.get("/api/v2/importErrors", importErrorsAnswer),
    ({ total_entries }) => total_entries === 0,
  );
  expect((await runHello()).value).toBe("two");

  await rm(join(dags, "hello.ts"));
  await within(
    () => triggerRun(rest, "hello").then(() => "", String),
    (problem) => problem.includes("gone"),
  );
});

it("goes on after kill -9: the task that ran lives through it and is not run again", async () => {
  const ledger = join(folder, "effects");
  await write(
    "slow.ts",
    `
import { appendFileSync, existsSync } from "node:fs";
import { dag, task } from "windlass";
const slow = task("slow", async () => {
  appendFileSync(${JSON.stringify(ledger)}, "begin\\n");
  while (!existsSync(${JSON.stringify(`${ledger}.go`)})) await new Promise((wake) => setTimeout(wake, 50));
  appendFileSync(${JSON.stringify(ledger)}, "end\\n");
  return "done";
});
const after = task("after", ({ said }: { said: string }) => said.toUpperCase());
export default dag("slow", {}, () => {
  after({ said: slow() });
});
`,
  );
  const first = await start();
  await waitForDag(rest, "slow");
  const runId = await triggerRun(rest, "slow");
  const read = () => readFile(ledger, "utf8").catch(() => "");
  await pollUntil(
    read,
    (text) => text === "begin\n",
    (text) => text,
    10_000,
  );
  await first.kill();
  await start();
  expect((await listTasks(rest, "slow", runId)).find(({ task_id }) => task_id === "slow")?.state).toBe("running");
  await writeFile(`${ledger}.go`, "");
  const { run } = await waitForRun(rest, "slow", runId);
  expect(run.state).toBe("success");
  expect(await read()).toBe("begin\nend\n");
});

it("says in one line what keeps it from starting", async () => {
  const refuse = async (env: Record<string, string>) => {
    const problem: unknown = await start(env).catch((error: unknown) => error);
    running = null;
    if (!(problem instanceof Error)) throw new Error("it started");
    return problem.message.split("\n").slice(1).join("\n");
  };
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(port, "127.0.0.1", listening));
  expect(await refuse({})).toBe(
    `windlass: port ${port} on 127.0.0.1 is in use by another process; stop it, or set WINDLASS_LISTEN_PORT to another port`,
  );
  taken.close();
  expect(await refuse({ WINDLASS_LISTEN_HOST: "0.0.0.0" })).toMatch(
    /^windlass: standalone runs without sign-in on loopback only.*$/,
  );
  expect(await refuse({ WINDLASS_PARALLELISM: "many" })).toMatch(
    /^windlass: WINDLASS_PARALLELISM is "many": .*an example is WINDLASS_PARALLELISM="256"$/,
  );
  expect(await refuse({ WINDLASS_DATA_FOLDER: "/dev/null/windlass" })).toMatch(
    /^windlass: cannot write to the data folder \/dev\/null\/windlass; .*$/,
  );
  await mkdir(join(folder, "postgres"));
  await writeFile(join(folder, "postgres", "PG_VERSION"), "12\n");
  expect(await refuse({})).toMatch(
    /^windlass: the data folder \S+ was made by Postgres 12, this release brings \d+; .*$/,
  );
});
