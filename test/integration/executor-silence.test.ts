// What the scheduler's passes come to when the API server tells nothing, or fails, for many minutes. On a clock on which minutes
// are moments; the store's own time is moved by the tests.

import { afterEach, beforeEach, expect, test } from "vitest";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { terminated } from "../support/api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

// A minute is three seconds.
const SPEED = 20;
const SOON = { timeout: 15_000 };

let passes: PassesRig;
let { rig, bundle, executor, begin, pods, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig(createFastClock(SPEED), { relistIntervalMs: 60_000 });
  ({ rig, bundle, executor, begin, pods, query } = passes);
});
afterEach(() => passes.close());

test("a watch that says nothing holds no slot for longer than until the next periodic list", async () => {
  const { store, context } = bundle;
  const launcher = createLauncher(context, () => {});
  const launch = async () => {
    await store.settle();
    await launcher.runOnce();
    await launcher.drain();
  };
  const states = () =>
    query<{ state: string; count: number }>(
      "select coalesce(state, 'none') as state, count(*) from task_instance group by 1 order by 1",
    );
  await begin(6, { retries: 0 }, { max_active_tasks: 2 });
  // A busy machine may take longer for the first call than its deadline is on this clock.
  const launched = async () => {
    await launch();
    store.pass(2);
    return pods().length;
  };
  await expect.poll(launched, SOON).toBe(2);
  rig.server.levers.silent = true;
  // It lists, and then hears nothing more.
  await executor.start();
  await expect.poll(() => rig.server.levers.open.size, SOON).toBe(1);
  const names = pods().map((pod) => (pod["metadata"] as { name: string }).name);
  await Promise.all(names.map((name) => rig.setStatus(name, terminated(3))));
  await launch();
  // Their ends are not known, and the limit holds.
  expect(await states()).toEqual([
    { state: "queued", count: 2 },
    { state: "scheduled", count: 4 },
  ]);
  await expect
    .poll(async () => (await launch(), states()), SOON)
    .toEqual([
      { state: "failed", count: 2 },
      { state: "queued", count: 2 },
      { state: "scheduled", count: 2 },
    ]);
  expect(rig.server.counts()["list"]).toBeGreaterThan(1);
  expect(pods()).toHaveLength(4);
});

test("while every call fails, runs are made and tasks queued, each with the reason, and all run in the end", async () => {
  const { store } = bundle;
  await begin(2);
  const launcher = createLauncher(bundle.context, () => {});
  const launch = async () => {
    await launcher.runOnce();
    await launcher.drain();
  };
  rig.server.intercept = (_, response) => {
    response.writeHead(503, { "retry-after": "0" }).end("<html>away</html>");
    return "answered";
  };
  for (let minute = 1; minute <= 5; minute += 1) {
    await launch();
    await store.trigger("d");
    await store.settle();
    store.pass(60);
  }
  expect(await query("select state, count(*) from task_instance group by state")).toEqual([
    { state: "queued", count: 12 },
  ]);
  const tried = await query("select state, waiting_reason as reason from attempt where launch_failures > 0");
  expect(tried.length).toBeGreaterThan(1);
  const reason = expect.stringContaining("503");
  expect(tried).toEqual(tried.map(() => ({ state: "queued", reason })));
  rig.server.intercept = () => "pass";
  const launched = async () => {
    await launch();
    store.pass(10);
    return pods().length;
  };
  await expect.poll(launched, SOON).toBe(12);
});
