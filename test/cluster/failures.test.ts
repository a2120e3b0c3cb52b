// Every way in which a task can fail on a real cluster, and the reason that the API gives for it.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { explanationAnswer } from "../../src/contract/rest-explain.ts";
import { triesAnswer } from "../../src/contract/rest-task-instances.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const DAG = `
import { dag, task } from "windlass";

const exits = task("exits", () => {
  process.exit(3);
});

const dies = task("dies", () => {
  process.reallyExit(4);
});

const throws = task("throws", () => {
  throw new TypeError("the author's own error");
});

const hungry = task("hungry", { pod: { resources: { limits: { memory: "96Mi" } } } }, async () => {
  const kept: Buffer[] = [];
  for (;;) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1));
    await new Promise((wake) => setTimeout(wake, 5));
  }
});

const pulls = task("pulls", { pod: { image: "localhost/there-is-no:such-image" } }, () => null);

const sleeps = task("sleeps", { executionTimeout: "1s" }, async () => {
  await new Promise((wake) => setTimeout(wake, 60_000));
});

const spins = task("spins", { executionTimeout: "1s" }, () => {
  for (;;);
});

export default dag("failures", {}, () => {
  exits();
  dies();
  throws();
  hungry();
  pulls();
  sleeps();
  spins();
});
`;

let windlass: Windlass;
beforeAll(async () => {
  windlass = await startWindlass({ env: { WINDLASS_IMAGE_TIMEOUT: "3", WINDLASS_INFRASTRUCTURE_RETRIES: "0" } });
  await writeFile(
    join(windlass.dagsFolder, "failures.ts"),
    DAG.replace("process.reallyExit(4)", "(process as unknown as { reallyExit(code: number): never }).reallyExit(4)"),
  );
  await windlass.startScheduler();
  await windlass.waitForDag("failures");
});
afterAll(() => windlass?.stop());

it("ends each as it should, with its reason in the API", async () => {
  const runId = await windlass.trigger("failures");
  const { run, tasks } = await windlass.waitForRun("failures", runId);
  expect(run.state).toBe("failed");
  const path = `/api/v2/dags/failures/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
  const last = async (taskId: string) => {
    const { task_instances } = await windlass.rest.get(`${path}/${taskId}/tries`, triesAnswer);
    const outcome = task_instances.at(-1)?.attempts.at(-1)?.outcome;
    if (!outcome) throw new Error(`${taskId} has no outcome`);
    return outcome;
  };
  for (const { task_id, state, reason } of tasks) {
    const { sentence } = await windlass.rest.get(`${path}/${task_id}/explain`, explanationAnswer);
    process.stdout.write(`${task_id}: ${sentence}\n`);
    expect({ state, silent: reason === null }).toEqual({ state: "failed", silent: false });
    expect(sentence).toMatch(/^[A-Z]/);
  }
  expect(await last("exits")).toMatchObject({
    kind: "task_failed",
    exit_code: 3,
    error: { message: "called process.exit(3)" },
  });
  expect(await last("dies")).toMatchObject({ kind: "task_failed", exit_code: 4 });
  const thrown = await last("throws");
  expect(thrown).toMatchObject({
    kind: "task_failed",
    error: { name: "TypeError", message: "the author's own error" },
  });
  const line = DAG.split("\n").findIndex((text) => text.includes("the author's own error")) + 1;
  expect(thrown.error?.stack).toContain(`failures.ts:${line}:`);
  expect(await last("hungry")).toMatchObject({ kind: "out_of_memory", reason: expect.stringContaining("96Mi") });
  expect(await last("pulls")).toMatchObject({
    kind: "image_error",
    reason: expect.stringContaining("there-is-no:such-image"),
  });
  expect(await last("sleeps")).toMatchObject({ kind: "timed_out", reason: expect.stringContaining("1 s") });
  expect(await last("spins")).toMatchObject({ kind: "timed_out", reason: expect.stringContaining("1 s") });
  await windlass.waitForNoPods();
});
