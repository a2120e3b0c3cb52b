// What people type to change runs, as processes, against the product on one machine: nothing between is left out.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RestClient } from "../../src/cli/rest-client.ts";
import { changesAnswer } from "../../src/contract/rest-interventions.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { listTasks, readLog, triggerRun, waitForDag, waitForRun } from "../cluster/support/runs.ts";
import { runCommand } from "../support/command.ts";
import { type Standalone, startStandalone } from "../support/standalone.ts";

const WINDLASS = join(import.meta.dirname, "..", "..", "bin", "windlass");
/** A worker asks for 10 s at most to clean up, and one that blocks is killed then. */
const GONE_MS = 15_000;

let standalone: Standalone;
let folder: string;
let environment: Record<string, string>;
let rest: RestClient;

/** Each task leaves its process id; "tidy" cleans up when it is asked to end, "deaf" never hears of it. */
const DAG = `
import { dag, task } from "windlass";
import { writeFileSync } from "node:fs";
import * as z from "zod";
const tidy = task("tidy", async ({ to, wait }: { to: string; wait: boolean }, { signal }) => {
  writeFileSync(to + "/tidy", String(process.pid));
  if (!wait) return "done";
  const awake = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  clearInterval(awake);
  console.log("cleaning up: " + signal.reason.message);
  throw signal.reason;
});
const deaf = task("deaf", ({ to, wait }: { to: string; wait: boolean }) => {
  writeFileSync(to + "/deaf", String(process.pid));
  while (wait);
  return "done";
});
const last = task("last", ({ text }: { text: string }) => text);
export default dag("slow", { params: z.object({ to: z.string(), wait: z.boolean().default(true) }) }, ({ params }) => {
  deaf({ to: params.to, wait: params.wait });
  last({ text: tidy({ to: params.to, wait: params.wait }) });
});
`;

beforeAll(async () => {
  standalone = await startStandalone({ "slow.ts": DAG });
  ({ folder, environment, rest } = standalone);
  await waitForDag(rest, "slow");
});
afterAll(() => standalone.stop());

const windlass = (...args: string[]) => runCommand("env", [...vars(), WINDLASS, ...args]);
const vars = () => Object.entries(environment).map(([name, value]) => `${name}=${value}`);

async function readPid(to: string, name: string): Promise<number> {
  const read = () => readFile(join(to, name), "utf8").catch(() => "");
  // The file is there a moment before what it says.
  const text = await pollUntil(
    read,
    (found) => found !== "",
    () => `${name} did not begin`,
    20_000,
  );
  return Number(text);
}

async function waitUntilGone(pid: number): Promise<void> {
  await pollUntil(
    async () => isAlive(pid),
    (alive) => !alive,
    () => `process ${pid} is still there`,
    GONE_MS,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function begin(): Promise<{ runId: string; pids: { tidy: number; deaf: number }; to: string }> {
  const to = await mkdtemp(join(folder, "run-"));
  const runId = await triggerRun(rest, "slow", { to });
  const [tidy, deaf] = await Promise.all([readPid(to, "tidy"), readPid(to, "deaf")]);
  return { runId, pids: { tidy, deaf }, to };
}

it("cancels a run: its processes are gone within seconds, with what they said while they cleaned up", async () => {
  const { runId, pids } = await begin();
  const preview = await windlass("runs", "cancel", "slow", runId, "--dry-run");
  expect(preview.stdout).toMatch(/^would change:\n {2}.*: running → failed\n/);
  expect(preview.stdout).toContain("tidy: running → failed, its attempt ends");
  const asked = systemClock.monotonic();
  await rest.post(`/api/v2/dags/slow/dagRuns/${encodeURIComponent(runId)}/cancel`, {}, changesAnswer);
  const answered = systemClock.monotonic() - asked;
  await waitUntilGone(pids.tidy);
  const tidyGone = systemClock.monotonic() - asked;
  await waitUntilGone(pids.deaf);
  const deafGone = systemClock.monotonic() - asked;
  process.stdout.write(
    `cancel: answered after ${Math.round(answered)} ms, a task that listens was gone after ${Math.round(tidyGone)} ms, one that blocks after ${Math.round(deafGone)} ms\n`,
  );
  expect(tidyGone).toBeLessThan(5_000);
  const tasks = await listTasks(rest, "slow", runId);
  expect(Object.fromEntries(tasks.map(({ task_id, state }) => [task_id, state]))).toEqual({
    tidy: "failed",
    deaf: "failed",
    last: "skipped",
  });
  const outcomes = () => listTasks(rest, "slow", runId);
  await pollUntil(
    outcomes,
    (all) => all.every(({ task_id, outcome }) => task_id === "last" || outcome?.kind === "cancelled"),
    (all) => JSON.stringify(all.map(({ outcome }) => outcome)),
    GONE_MS,
  );
  expect(await readLog(rest, "slow", runId, "tidy", 1)).toContain("cleaning up");
  const again = await windlass("runs", "cancel", "slow", runId);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("is failed, so cancel is not possible") });
}, 180_000);

it("clears a running task: the old process ends before the new one begins", async () => {
  const { runId, pids, to } = await begin();
  await rm(join(to, "tidy"));
  const cleared = await windlass("tasks", "clear", "slow", runId, "tidy", "--downstream", "--output", "json");
  expect(JSON.parse(cleared.stdout)).toMatchObject({
    dry_run: false,
    task_instances: [{ task_id: "tidy", state: "running", new_state: "restarting", ends_attempt: true }],
    dag_runs: [],
  });
  const next = await readPid(to, "tidy");
  expect(next).not.toBe(pids.tidy);
  expect(isAlive(pids.tidy)).toBe(false);
  const marked = await windlass("tasks", "mark", "slow", runId, "tidy", "--as", "success");
  expect(marked.stdout).toContain("tidy: running → success, its attempt ends");
  expect((await windlass("tasks", "cancel", "slow", runId, "deaf")).code).toBe(0);
  const { run, tasks } = await waitForRun(rest, "slow", runId);
  expect(run.state).toBe("failed");
  expect(Object.fromEntries(tasks.map(({ task_id, state }) => [task_id, state]))).toEqual({
    tidy: "success",
    deaf: "failed",
    last: "success",
  });
  const conf = JSON.stringify({ to, wait: false });
  const rerun = [
    "runs",
    "rerun",
    "slow",
    runId,
    "last",
    "--conf",
    conf,
    "--result",
    'tidy="other"',
    "--run-id",
    "again",
  ];
  expect((await windlass(...rerun, "--dry-run")).stdout).toContain("taken over  tidy (success)");
  expect((await windlass(...rerun)).code).toBe(0);
  expect((await waitForRun(rest, "slow", "again")).run.state).toBe("success");
  await Promise.all([next, pids.deaf].map(waitUntilGone));
}, 180_000);

it("compares a file with what is deployed", async () => {
  const file = join(folder, "changed.ts");
  await writeFile(file, DAG);
  expect(await windlass("dags", "diff", file)).toMatchObject({ code: 0, stdout: "slow: nothing changes\n" });
  await writeFile(file, DAG.replace('task("last",', 'task("last", { retries: 2 },'));
  const changed = await windlass("dags", "diff", file);
  expect(changed).toMatchObject({ code: 1, stdout: "slow\n  ~ task last\n      ~ retries: 0 → 2\n" });
  const asJson = await windlass("dags", "diff", file, "--output", "json");
  expect(JSON.parse(asJson.stdout)).toMatchObject({ same: false, tasks_changed: [{ task_id: "last" }] });
  await writeFile(file, DAG.replace('dag("slow"', 'dag("other"'));
  expect((await windlass("dags", "diff", file)).stdout).toContain("the API does not have it yet");
  expect((await windlass("dags", "diff", file, "--against", "slow")).code).toBe(0);
  expect(await windlass("dags", "diff", join(folder, "none.ts"))).toMatchObject({ code: 2, stdout: "" });
  expect((await windlass("dags", "diff", file, "--against", "slow", "--dag-version", "9")).code).toBe(2);
}, 180_000);
