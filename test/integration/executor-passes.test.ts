// The scheduler's passes with the Kubernetes executor, over a real store and the fake API server: how often they ask.

import { afterEach, beforeEach, expect, test } from "vitest";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { stopAttempts } from "../../src/scheduler/stop-attempts.ts";
import { rescueLost } from "../../src/scheduler/rescue-lost.ts";
import { terminated } from "../support/api-server.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { act, mark } from "../support/interventions.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

const SOON = { timeout: 15_000 };
let passes: PassesRig;
let { rig, bundle, executor, begin, pods, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig();
  ({ rig, bundle, executor, begin, pods, query } = passes);
});
afterEach(() => passes.close());

test("each finished pod is one finalising call, however many passes come", async () => {
  const { store, context } = bundle;
  await begin(20);
  await executor.start();
  const launcher = createLauncher(context, () => {});
  await launcher.runOnce();
  await launcher.drain();
  const attempts = await query<{ attempt_id: string; epoch: number; pod_name: string }>(
    "select id as attempt_id, epoch, pod_name from attempt",
  );
  for (const attempt of attempts) {
    await store.finish(await store.start(attempt.attempt_id));
    await rig.setStatus(attempt.pod_name, terminated(0));
  }
  const left = async () => (await query("select 1 from attempt where cleaned_at is null")).length;
  await expect.poll(async () => (await cleanFinished(context), left()), SOON).toBe(0);
  for (let pass = 0; pass < 5; pass += 1) {
    store.pass(60);
    await cleanFinished(context);
  }
  expect(pods()).toEqual([]);
  expect(rig.server.counts()).toMatchObject({ create: 20, delete: 20 });
  expect(rig.server.counts()["patch"]).toBeUndefined();
  expect(await query("select state from task_instance where state <> 'success'")).toEqual([]);
});

test("a Pending pod that is deleted is replaced within seconds, and no try is spent", async () => {
  const { store } = bundle;
  await begin(1, { retries: 0 });
  await executor.start();
  const launcher = createLauncher(bundle.context, () => {});
  await launcher.runOnce();
  await launcher.drain();
  const [first] = await query<{ pod_name: string }>("select pod_name from attempt");
  const began = performance.now();
  rig.server.objects.remove({ resource: "pods", namespace: "default", name: first?.pod_name ?? "" }, null, 0);
  const ended = () => query<{ outcome: string }>("select outcome from attempt where outcome is not null");
  await expect.poll(ended, SOON).toHaveLength(1);
  expect(performance.now() - began).toBeLessThan(5_000);
  // The store's own time: a pod that never ran waits for nothing but the first pause.
  store.pass(5);
  await store.settle();
  await launcher.runOnce();
  await launcher.drain();
  expect(pods()).toHaveLength(1);
  expect(await query("select outcome, try_number from attempt order by epoch")).toEqual([
    { outcome: "deleted", try_number: 1 },
    { outcome: null, try_number: 1 },
  ]);
});

test("creates run together, and the pass that began them does not wait", async () => {
  const tasks = 300;
  await begin(tasks);
  const held: (() => void)[] = [];
  rig.server.intercept = async ({ verb }): Promise<Interception> => {
    if (verb === "create") await new Promise<void>((resolve) => held.push(resolve));
    return "pass";
  };
  const launcher = createLauncher(bundle.context, () => {});
  const { counts } = await launcher.runOnce();
  expect(counts).toMatchObject({ claimed: 32 });
  await expect.poll(() => held.length, SOON).toBe(32);
  expect(await launcher.runOnce()).toMatchObject({ counts: { claimed: 0 } });
  let rounds = 1;
  while (pods().length < tasks) {
    for (const go of held.splice(0)) go();
    await launcher.drain();
    const { counts: next } = await launcher.runOnce();
    await expect.poll(() => held.length, SOON).toBe(next["claimed"]);
    rounds += 1;
  }
  // At 32 a time: each create waits for a thirty-second part of the answers before it.
  expect(rounds).toBeLessThanOrEqual(Math.ceil(tasks / 32) + 1);
  for (const go of held.splice(0)) go();
  await launcher.drain();
});

test("a task that has ended before its launch is written down has ended all the same", async () => {
  const { store, context } = bundle;
  await begin(1);
  await executor.start();
  const launcher = createLauncher(context, () => {});
  await launcher.runOnce();
  await expect.poll(() => pods().length, SOON).toBe(1);
  const [attempt] = await query<{ id: string; pod_name: string }>("select id, pod_name from attempt");
  await store.finish(await store.start(attempt?.id ?? ""));
  await rig.setStatus(attempt?.pod_name ?? "", terminated(0));
  await launcher.drain();
  expect(await query("select state from task_instance")).toEqual([{ state: "success" }]);
  await expect.poll(async () => (await cleanFinished(context), pods()), SOON).toEqual([]);
  expect(await query("select state from attempt")).toEqual([{ state: "finished" }]);
});

test("a start that never comes is ended each time anew, and spends no try", async () => {
  const { store, context } = bundle;
  await begin(1, { retries: 0, start_timeout: 30 });
  const launcher = createLauncher(context, () => {});
  const budget = store.rules.infrastructureBudget;
  for (let cycle = 1; cycle <= budget + 1; cycle += 1) {
    await launcher.runOnce();
    await launcher.drain();
    expect(pods()).toHaveLength(cycle);
    store.pass(31);
    await rescueLost(context);
    // The first pause before a relaunch is seconds, the longest a minute.
    store.pass(60);
    await store.settle();
  }
  const attempts = await query("select outcome, try_number from attempt order by epoch");
  expect(attempts).toEqual(Array.from({ length: budget + 1 }, () => ({ outcome: "start_timeout", try_number: 1 })));
  expect(await query("select state from task_instance")).toEqual([{ state: "failed" }]);
});

test("a launch that is under way when a person ends its task leaves no pod", async () => {
  const { store, context } = bundle;
  await begin(1);
  await executor.start();
  let send = () => {};
  const sending = new Promise<void>((resolve) => (send = resolve));
  const launcher = createLauncher(
    passes.contextOf("test", { launch: (order) => sending.then(() => executor.launch(order)) }),
    () => {},
  );
  await launcher.runOnce();
  const [run] = await query<{ id: number; dag_run_id: string }>("select id, dag_run_id from dag_run");
  if (!run) throw new Error("there is a run");
  await act(store, { ...run, dag_id: "d" }, mark(["t0"], "failed"));
  // It may be there already, so it is not said to be over.
  await stopAttempts(context);
  expect(await query("select state, outcome from attempt")).toEqual([{ state: "launching", outcome: null }]);
  send();
  await launcher.drain();
  expect(pods()).toHaveLength(1);
  const [attempt] = await query<{ id: string }>("select id from attempt");
  await expect(store.start(attempt?.id ?? "")).rejects.toMatchObject({ code: "attempt_stale" });
  await expect.poll(async () => (await stopAttempts(context), pods()), SOON).toEqual([]);
  await expect.poll(() => query("select outcome from attempt"), SOON).toEqual([{ outcome: "cancelled" }]);
});
