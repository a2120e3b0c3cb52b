// How fast tasks start, beside the bare limits in the same run. The targets are the product's; see docs/architecture.md.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultAnswer } from "../../src/contract/rest-task-instances.ts";
import { measureBarePod } from "./support/bare-pod.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const CHAIN = 10;
const STARTS = 15;
const BARE_PODS = 7;
const START_TARGET_MS = 150;

// Milliseconds since the container's first process began, from the kernel's own clock (in ticks of 10 ms).
const START_DAG = `
import { readFileSync } from "node:fs";
import { dag, task } from "windlass";

const start = task("start", () => {
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  const began = Number(readFileSync("/proc/1/stat", "utf8").split(") ")[1]?.split(" ")[19]) / 100;
  return Math.round((uptime - began) * 1000);
});

export default dag("starts", { maxActiveTasks: 1 }, () => {
  for (let index = 0; index < ${STARTS}; index += 1) start.as(\`start_\${index}\`)();
});
`;

const CHAIN_DAG = `
import { dag, task, type TaskNode } from "windlass";

const noop = task("noop", () => null);

export default dag("chain", {}, () => {
  let last: TaskNode | null = null;
  for (let index = 0; index < ${CHAIN}; index += 1) {
    const node = noop.as(\`noop_\${index}\`)();
    if (last) last.before(node);
    last = node;
  }
});
`;

let windlass: Windlass;
beforeAll(async () => {
  windlass = await startWindlass();
  await writeFile(join(windlass.dagsFolder, "starts.ts"), START_DAG);
  await writeFile(join(windlass.dagsFolder, "chain.ts"), CHAIN_DAG);
  await windlass.startScheduler();
  await windlass.waitForDag("starts");
  await windlass.waitForDag("chain");
});
afterAll(() => windlass?.stop());

const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function run(dagId: string) {
  const runId = await windlass.trigger(dagId);
  const finished = await windlass.waitForRun(dagId, runId);
  expect(finished.run.state).toBe("success");
  return { ...finished, path: `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances` };
}

it(`reaches the author's first line within ${START_TARGET_MS} ms of the container's start, at the median`, async () => {
  const { tasks, path } = await run("starts");
  const results = await Promise.all(
    tasks.map(({ task_id }) => windlass.rest.get(`${path}/${task_id}/xcomEntries/return_value`, resultAnswer)),
  );
  const starts = results.map(({ value }) => Number(value));
  const median = medianOf(starts);
  process.stdout.write(
    `worker start, container's first process to author's first line: median ${median} ms of ${starts.length}, ` +
      `${Math.min(...starts)} to ${Math.max(...starts)} ms (target ${START_TARGET_MS} ms, Airflow 1460 ms)\n`,
  );
  expect(median).toBeLessThanOrEqual(START_TARGET_MS);
});

it("runs a chain of no-op tasks, each in at most the time of a bare pod", async () => {
  const { tasks } = await run("chain");
  const begin = Math.min(...tasks.map(({ scheduled_when }) => Date.parse(scheduled_when ?? "")));
  const end = Math.max(...tasks.map(({ end_date }) => Date.parse(end_date ?? "")));
  const perTask = (end - begin) / tasks.length;
  const bare: number[] = [];
  for (let index = 0; index < BARE_PODS; index += 1) {
    bare.push(await measureBarePod(windlass.kubernetes, windlass.namespace, windlass.image));
  }
  const limit = medianOf(bare);
  process.stdout.write(
    `chain of ${tasks.length}: ${Math.round(perTask)} ms per task; a bare pod, create to terminated: ${Math.round(limit)} ms at the median of ` +
      `${bare.length}; ratio ${(perTask / limit).toFixed(2)} (target 1.00, Airflow 2.3)\n`,
  );
  expect(perTask).toBeLessThanOrEqual(limit);
});
