// How fast tasks start, beside the bare limits in the same run. The targets are the product's; see docs/architecture.md.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { resultAnswer, type TaskInstanceAnswer, triesAnswer } from "../../src/contract/rest-task-instances.ts";
import { measureBarePod } from "./support/bare-pod.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const CHAIN = 10;
const STARTS = 15;
const BARE_PODS = 7;
const START_TARGET_MS = 150;

// Milliseconds since the container's process was started, and since it was created, which the kernel knows in ticks of
// 10 ms: in between, the container runtime sets the container up.
const START_DAG = `
import { readFileSync } from "node:fs";
import { dag, task } from "windlass";

const start = task("start", () => {
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  const began = Number(readFileSync("/proc/1/stat", "utf8").split(") ")[1]?.split(" ")[19]) / 100;
  return { started: Math.round(Date.now() - performance.timeOrigin), created: Math.round((uptime - began) * 1000) };
});

export default dag("starts", { maxActiveTasks: 1 }, () => {
  for (let index = 0; index < ${STARTS}; index += 1) start.as(\`start_\${index}\`)();
});
`;

const startTimes = z.object({ started: z.number(), created: z.number() });

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

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function run(dagId: string) {
  const runId = await windlass.trigger(dagId);
  const finished = await windlass.waitForRun(dagId, runId);
  expect(finished.run.state).toBe("success");
  return { ...finished, path: `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances` };
}

/** Where the time of a task goes, in milliseconds since its upstream's end; the container's start is known in whole seconds. */
async function describeHops(tasks: readonly TaskInstanceAnswer[], path: string): Promise<string> {
  const since = (later: string | null, earlier: string | null) => Date.parse(later ?? "") - Date.parse(earlier ?? "");
  const lines: string[] = [];
  let before: string | null = null;
  for (const { task_id, scheduled_when, queued_when, end_date } of tasks) {
    const { task_instances } = await windlass.rest.get(`${path}/${task_id}/tries`, triesAnswer);
    const attempt = task_instances.at(-1)?.attempts.at(-1);
    const marks = {
      scheduled: scheduled_when,
      queued: queued_when,
      launched: attempt?.launched_at ?? null,
      started: attempt?.started_at ?? null,
      end: end_date,
    };
    if (before !== null) {
      lines.push(
        Object.entries(marks)
          .map(([name, at]) => `${name} ${since(at, before)}`)
          .join(", "),
      );
    }
    before = end_date;
  }
  return `${lines.join("\n")}\n`;
}

it(`reaches the author's first line within ${START_TARGET_MS} ms of the container's start, at the median`, async () => {
  const { tasks, path } = await run("starts");
  const results = await Promise.all(
    tasks.map(({ task_id }) => windlass.rest.get(`${path}/${task_id}/xcomEntries/return_value`, resultAnswer)),
  );
  const times = results.map(({ value }) => startTimes.parse(value));
  const starts = times.map(({ started }) => started);
  const median = medianOf(starts);
  process.stdout.write(
    `worker start, container start to author's first line: median ${median} ms of ${starts.length}, ` +
      `${Math.min(...starts)} to ${Math.max(...starts)} ms (target ${START_TARGET_MS} ms, Airflow 1460 ms); ` +
      `with the runtime's own set-up ${medianOf(times.map(({ created }) => created))} ms\n`,
  );
  expect(median).toBeLessThanOrEqual(START_TARGET_MS);
});

it("runs a chain of no-op tasks, each in at most the time of a bare pod", async () => {
  const { tasks, path } = await run("chain");
  process.stdout.write(await describeHops(tasks, path));
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
