// The main job on a real cluster: one pod per attempt, results along edges, and nothing lost or repeated when the scheduler
// or the cluster's own API server is killed on the way.

import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dagAnswer } from "../../src/contract/rest-dags.ts";
import { resultAnswer, triesAnswer } from "../../src/contract/rest-task-instances.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { type Effects, startEffects } from "./support/effects.ts";
import { killComponent, ownsCluster, startComponent } from "./support/harness.ts";
import { pollUntil } from "./support/poll.ts";
import type { Process } from "./support/processes.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const EFFECTS_DAG = fileURLToPath(new URL("./dags/effects.ts", import.meta.url));
const FAN_OUT = fileURLToPath(new URL("../../examples/fan_out.ts", import.meta.url));
const ATTEMPTS = 8;
const OUTAGE_MS = 10_000;

let windlass: Windlass;
let scheduler: Process;

beforeAll(async () => {
  windlass = await startWindlass();
  await copyFile(EFFECTS_DAG, join(windlass.dagsFolder, "effects.ts"));
  await copyFile(FAN_OUT, join(windlass.dagsFolder, "fan_out.ts"));
  scheduler = await windlass.startScheduler();
  await windlass.waitForDag("effects");
  await windlass.waitForDag("fan_out");
});
afterAll(() => windlass?.stop());

async function openEffects(): Promise<Effects> {
  return startEffects(new URL(windlass.apiUrl).hostname);
}

/** Triggers the DAG with effects, lets `disturb` do its worst, and checks that nobody could tell. */
async function expectNoTrace(seconds: number, disturb: (effects: Effects) => Promise<void>): Promise<void> {
  const effects = await openEffects();
  try {
    const runId = await windlass.trigger("effects", { url: effects.url, seconds });
    await disturb(effects);
    const { run, tasks } = await windlass.waitForRun("effects", runId);
    const failed = tasks
      .filter(({ state }) => state !== "success")
      .map(({ task_id, state, reason }) => ({ task_id, state, reason }));
    expect(failed).toEqual([]);
    expect(run.state).toBe("success");
    expect(effects.findRepeats()).toEqual([]);
    const begun = effects.all().filter(({ event }) => event === "begin");
    expect(begun.map(({ task }) => task).toSorted()).toEqual([
      "check",
      "flaky",
      "grow_1",
      "grow_2",
      "grow_3",
      "grow_4",
      "seed",
    ]);
    expect(new Set(begun.map(({ pod }) => pod)).size).toBe(begun.length);
    await windlass.waitForNoPods();
  } finally {
    await effects.stop();
  }
}

describe("on a real cluster", () => {
  it("runs the example, one pod per attempt, and keeps its log after the pods are gone", async () => {
    const runId = await windlass.trigger("fan_out", { limit: 20 });
    const { run, tasks } = await windlass.waitForRun("fan_out", runId);
    expect(run.state).toBe("success");
    expect(tasks).toHaveLength(7);
    const path = `/api/v2/dags/fan_out/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
    const tries = await Promise.all(
      tasks.map(({ task_id }) => windlass.rest.get(`${path}/${task_id}/tries`, triesAnswer)),
    );
    const attempts = tries.flatMap((answer) => answer.task_instances.flatMap((one) => one.attempts));
    expect(attempts).toHaveLength(ATTEMPTS);
    expect(new Set(attempts.map(({ pod_name }) => pod_name)).size).toBe(ATTEMPTS);
    const { value } = await windlass.rest.get(`${path}/check/xcomEntries/return_value`, resultAnswer);
    expect(value).toEqual({ limit: 20, total: 2870 });
    await windlass.waitForNoPods();
    const log = await windlass.readLog("fan_out", runId, "check", 1);
    expect(log).toContain("The squares of 1 to 20 add up to 2870");
  });

  it("runs every attempt exactly once", () => expectNoTrace(0, async () => {}));

  it("survives kill -9 of the scheduler while pods are pending", () =>
    expectNoTrace(1, async () => {
      await pollUntil(
        windlass.listPods,
        (pods) => pods.some((pod) => pod.snapshot.phase === "Pending"),
        () => "no pod is pending",
        30_000,
      );
      await scheduler.kill();
      scheduler = await windlass.startScheduler();
    }));

  it("survives kill -9 of the scheduler while tasks run, and records what ended meanwhile", () =>
    expectNoTrace(3, async (effects) => {
      await effects.waitFor((seen) => seen.some(({ task }) => task.startsWith("grow")));
      await scheduler.kill();
      await effects.waitFor(
        (seen) => seen.filter(({ task, event }) => task.startsWith("grow") && event === "end").length === 4,
      );
      scheduler = await windlass.startScheduler();
    }));

  it.skipIf(!ownsCluster)("survives an API server that is gone for 10 seconds", () =>
    expectNoTrace(3, async (effects) => {
      await effects.waitFor((seen) => seen.some(({ task }) => task.startsWith("grow")));
      await killComponent("kube-apiserver");
      // The length of the outage is the test's subject.
      await systemClock.sleep(OUTAGE_MS);
      await startComponent("kube-apiserver");
    }),
  );

  it("goes on with a run whose file is deleted", async () => {
    await expectNoTrace(2, async (effects) => {
      await effects.waitFor((seen) => seen.length > 0);
      await rm(join(windlass.dagsFolder, "effects.ts"));
    });
    await expect(windlass.trigger("effects", { url: "http://unused" })).rejects.toThrow(
      /file of DAG "effects" is gone/,
    );
    await copyFile(EFFECTS_DAG, join(windlass.dagsFolder, "effects.ts"));
    await pollUntil(
      () => windlass.rest.get("/api/v2/dags/effects", dagAnswer),
      ({ is_stale }) => !is_stale,
      () => "the file is back and its DAG is still stale",
      10_000,
    );
  });

  it("shares the work between two schedulers without doing any of it twice", async () => {
    const second = await windlass.startScheduler();
    try {
      await expectNoTrace(1, async (effects) => {
        await effects.waitFor((seen) => seen.some(({ task }) => task.startsWith("grow")));
        await scheduler.kill();
      });
    } finally {
      await second.stop();
      scheduler = await windlass.startScheduler();
    }
  });
});
