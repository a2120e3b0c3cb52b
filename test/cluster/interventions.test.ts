// Cancelling and clearing on a real cluster: how soon pods are gone, and that no two of one task run at once.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { changesAnswer } from "../../src/contract/rest-interventions.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { pollUntil } from "./support/poll.ts";
import { listTasks } from "./support/runs.ts";
import { startWindlass, testImage, type Windlass } from "./support/windlass.ts";

const DAG = (image: string) => `
import { dag, kubernetesPod, task } from "windlass";
const listens = task("listens", async (_: object, { signal }) => {
  const awake = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  clearInterval(awake);
  console.log("cleaning up");
  throw signal.reason;
});
const foreign = kubernetesPod("foreign", {
  image: ${JSON.stringify(image)},
  cmds: ["node", "-e", "process.on('SIGTERM', () => process.exit(1)); setInterval(() => {}, 1000)"],
});
export default dag("acts", {}, () => {
  listens({});
  foreign();
});
`;

let windlass: Windlass;
beforeAll(async () => {
  windlass = await startWindlass();
  await writeFile(join(windlass.dagsFolder, "acts.ts"), DAG(testImage()));
  await windlass.startScheduler();
  await windlass.waitForDag("acts");
});
afterAll(() => windlass.stop());

async function waitForStates(runId: string, expected: Record<string, string>): Promise<void> {
  await pollUntil(
    () => listTasks(windlass.rest, "acts", runId),
    (tasks) => tasks.every(({ task_id, state }) => expected[task_id] === undefined || expected[task_id] === state),
    (tasks) => JSON.stringify(tasks.map(({ task_id, state, reason }) => ({ task_id, state, reason }))),
    60_000,
  );
}

it("clears a running task once its pod has ended, and cancels a run: its pods are gone within seconds", async () => {
  const runId = await windlass.trigger("acts");
  const path = `/api/v2/dags/acts/dagRuns/${encodeURIComponent(runId)}`;
  await waitForStates(runId, { listens: "running", foreign: "running" });
  const clear = { dag_run_id: runId, task_ids: ["listens"], only_failed: false, dry_run: false };
  const cleared = await windlass.rest.post("/api/v2/dags/acts/clearTaskInstances", clear, changesAnswer);
  expect(cleared.task_instances).toMatchObject([{ state: "running", new_state: "restarting" }]);
  await waitForStates(runId, { listens: "running", foreign: "running" });
  const tasks = await listTasks(windlass.rest, "acts", runId);
  expect(tasks.find(({ task_id }) => task_id === "listens")?.try_number).toBe(2);

  const asked = systemClock.monotonic();
  await windlass.rest.post(`${path}/cancel`, {}, changesAnswer);
  await windlass.waitForNoPods(30_000);
  const gone = systemClock.monotonic() - asked;
  process.stdout.write(`cancel: both pods were gone ${Math.round(gone)} ms after the call\n`);
  expect(gone).toBeLessThan(15_000);
  const ended = await listTasks(windlass.rest, "acts", runId);
  expect(ended.map(({ state, outcome }) => [state, outcome?.kind])).toEqual([
    ["failed", "cancelled"],
    ["failed", "cancelled"],
  ]);
});
