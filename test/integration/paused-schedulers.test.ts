// Schedulers that stand still for longer than their claims last, and go on: through their own passes, over one store and the
// fake API server. What others did meanwhile stays.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LaunchResult } from "../../src/executors/executor.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { createStrayCheck } from "../../src/scheduler/refuse-strays.ts";
import { openDatabase } from "../../src/store/database.ts";
import { forgetProcess, recordProcess } from "../../src/store/processes.ts";
import { makeOrder, running, terminated } from "../support/api-server.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

const SOON = { timeout: 15_000 };
const container = { image: "x", cmds: null, arguments: null, env: {}, get_logs: false, skip_on_exit_codes: [] };

let passes: PassesRig;
let { rig, bundle, executor, begin, contextOf, launcherOf, pods, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig();
  ({ rig, bundle, executor, begin, contextOf, launcherOf, pods, query } = passes);
});
afterEach(() => passes.close());

const readAttempt = async () =>
  (await query("select state, outcome, claimed_by, waiting_kind, waiting_reason, pod_uid from attempt"))[0];
const podName = async () => (await query<{ pod_name: string }>("select pod_name from attempt"))[0]?.pod_name ?? "";

function signal() {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}

/** A container that ran and ended, and whose pod was removed. */
async function liveThrough(): Promise<void> {
  const name = await podName();
  rig.server.objects.patch({ resource: "pods", namespace: "default", name }, null, { spec: { nodeName: "n" } });
  await rig.setStatus(name, running);
  await rig.setStatus(name, terminated(0));
  await expect.poll(readAttempt, SOON).toMatchObject({ outcome: "success" });
  await cleanFinished(bundle.context);
  rig.server.objects.remove({ resource: "pods", namespace: "default", name }, null, 0);
  await expect.poll(() => query("select 1 from attempt where cleaned_at is null"), SOON).toEqual([]);
}

describe("a launch that stood still while another scheduler took it over", () => {
  it.each<[string, LaunchResult]>([
    ["is to be repeated", { kind: "retry", reason: "late", retry_after_ms: null }],
    ["is refused", { kind: "refused", reason: "late" }],
  ])("changes nothing when it %s", async (_, late) => {
    await begin(1);
    const [paused, slow] = [signal(), signal()];
    const first = launcherOf("first", { launch: () => paused.given.then(() => late) });
    const second = launcherOf("second", { launch: (order) => slow.given.then(() => executor.launch(order)) });
    await first.runOnce();
    bundle.store.pass(15);
    expect(await second.runOnce()).toMatchObject({ counts: { claimed: 1 } });
    paused.give();
    await first.drain();
    expect(await readAttempt()).toMatchObject({ state: "launching", claimed_by: "second", waiting_reason: null });
    slow.give();
    await second.drain();
    expect(await readAttempt()).toMatchObject({ state: "launched", outcome: null });
  });

  it("says of the pod that it has made, and of nothing that was waited for", async () => {
    await begin(1);
    const paused = signal();
    const first = launcherOf("first", {
      launch: async (order) => {
        const result = await executor.launch(order);
        await paused.given;
        return result;
      },
    });
    const second = launcherOf("second", {
      launch: async () => ({ kind: "retry", reason: "busy", retry_after_ms: null }),
    });
    await first.runOnce();
    await expect.poll(pods, SOON).toHaveLength(1);
    bundle.store.pass(15);
    await second.runOnce();
    await second.drain();
    expect(await readAttempt()).toMatchObject({ state: "queued", waiting_reason: "busy" });
    paused.give();
    await first.drain();
    const uid = (pods()[0]?.["metadata"] as { uid: string } | undefined)?.uid;
    expect(await readAttempt()).toMatchObject({
      state: "launched",
      pod_uid: uid,
      waiting_kind: null,
      waiting_reason: null,
    });
  });

  it("creates nothing for an attempt that has ended since", async () => {
    await executor.start();
    await begin(1, { kind: "pod", container });
    const paused = signal();
    const first = launcherOf("first", {
      launch: (order, ...more) => paused.given.then(() => executor.launch(order, ...more)),
    });
    const second = launcherOf("second");
    await first.runOnce();
    bundle.store.pass(15);
    await second.runOnce();
    await second.drain();
    await liveThrough();
    paused.give();
    await first.drain();
    expect(rig.server.counts()).toMatchObject({ create: 1 });
    expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "success" });
  });
});

it("an attempt of which nothing was found is not cleaned up by who found that before its pod came", async () => {
  await executor.start();
  await begin(1);
  const paused = signal();
  const launcher = launcherOf("first", { launch: async () => ({ kind: "refused", reason: "no more" }) });
  await launcher.runOnce();
  await launcher.drain();
  const [row] = await query<{ id: string; epoch: number; pod_name: string }>("select id, epoch, pod_name from attempt");
  if (!row) throw new Error("there is an attempt");
  const found = signal();
  const cleaning = cleanFinished(
    contextOf("paused", {
      remove: async (handle) => {
        const answer = await executor.remove(handle);
        found.give();
        await paused.given;
        return answer;
      },
    }),
  );
  await found.given;
  // An earlier create, whose answer was lost.
  await executor.launch({ ...makeOrder("default"), attempt_id: row.id, epoch: row.epoch, pod_name: row.pod_name });
  await expect.poll(readAttempt, SOON).toMatchObject({ pod_uid: expect.any(String) });
  paused.give();
  await cleaning;
  expect(await query("select 1 from attempt where cleaned_at is null")).toHaveLength(1);
  bundle.store.pass(30);
  await cleanFinished(bundle.context);
  expect(rig.server.counts()).toMatchObject({ delete: 1 });
});

it("a pod whose launch is written down before it is seen is removed, when its attempt was cleaned up without it", async () => {
  await executor.start();
  await begin(1);
  const [created, held] = [signal(), signal()];
  const first = launcherOf("first", {
    launch: async (order) => {
      created.give();
      await held.given;
      return executor.launch(order);
    },
  });
  await first.runOnce();
  await created.given;
  bundle.store.pass(15);
  const second = launcherOf("second", { launch: async () => ({ kind: "refused", reason: "no more" }) });
  await second.runOnce();
  await second.drain();
  await cleanFinished(bundle.context);
  expect(await query("select 1 from attempt where cleaned_at is null")).toEqual([]);
  rig.server.levers.silent = true;
  held.give();
  await first.drain();
  expect(pods()).toHaveLength(1);
  rig.server.levers.silent = false;
  await cleanFinished(bundle.context);
  expect(rig.server.counts()).toMatchObject({ delete: 1 });
  expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "launch_refused" });
});

it("a launch that Postgres restarted under is written down once that is back, and not made again", async () => {
  await begin(1);
  const url = new URL(bundle.store.db.url);
  const proxy = await startFaultProxy(url.hostname, Number(url.port));
  url.port = String(proxy.port);
  const db = openDatabase({ url: url.href, poolSize: 2, applicationName: "cut", log: createLogger("silent") });
  const context = contextOf("first", {
    launch: async (order) => {
      const result = await executor.launch(order);
      proxy.refuse(true);
      proxy.cut();
      return result;
    },
  });
  const ended = signal();
  const launcher = createLauncher({ ...context, db }, ended.give);
  // Its look for the next launch may meet the cut.
  await launcher.runOnce().catch(() => {});
  await ended.given;
  await expect(launcher.runOnce()).rejects.toMatchObject({ code: "unavailable" });
  bundle.store.pass(60);
  proxy.refuse(false);
  expect((await launcher.runOnce()).counts).toEqual({ claimed: 0, recorded: 1 });
  expect(await readAttempt()).toMatchObject({ state: "launched", pod_uid: expect.any(String) });
  expect(rig.server.counts()).toMatchObject({ create: 1 });
  await db.close();
  await proxy.close();
});

it("schedulers whose clocks are a minute apart launch everything, and each once", async () => {
  await begin(20);
  const ahead = contextOf("ahead");
  const clock = { ...ahead.clock, now: () => new Date(bundle.store.now().getTime() + 60_000) };
  const launchers = [launcherOf("behind"), createLauncher({ ...ahead, clock }, () => {})];
  const open = () => query("select 1 from attempt where state <> 'launched'");
  for (let passed = 0; passed < 120 && (await open()).length > 0; passed += 1) {
    for (const launcher of launchers) await launcher.runOnce();
    bundle.store.pass(1);
  }
  for (const launcher of launchers) await launcher.drain();
  expect(await open()).toEqual([]);
  expect(pods()).toHaveLength(20);
  expect(await query("select 1 from attempt where launch_failures > 0")).toEqual([]);
});

it("what only a scheduler could launch that stands still for minutes waits for it, until it signs off", async () => {
  await begin(1);
  const cluster = "kubernetes:gpu" as const;
  await query(`update attempt set executor = '${cluster}'`);
  const paused = { id: "paused", kind: "scheduler" as const, hostname: "a", executors: [cluster] };
  const { store } = bundle;
  await recordProcess(store.db, paused, store.now());
  const refuseStrays = createStrayCheck(contextOf("other"));
  store.pass(300);
  expect(await refuseStrays()).toEqual({ counts: { refused: 0 } });
  await forgetProcess(store.db, paused.id);
  expect(await refuseStrays()).toEqual({ counts: { refused: 1 } });
  expect(await readAttempt()).toMatchObject({ outcome: "launch_refused", claimed_by: "other" });
});

it("a create that takes effect after its attempt has ended and been cleaned up is removed at once", async () => {
  await executor.start();
  await begin(1, { kind: "pod", container });
  const [arrived, held] = [signal(), signal()];
  let creates = 0;
  rig.server.intercept = async ({ verb, resource }): Promise<Interception> => {
    if (verb !== "create" || resource !== "pods" || (creates += 1) > 1) return "pass";
    arrived.give();
    await held.given;
    return "pass";
  };
  const first = launcherOf("first");
  const second = launcherOf("second");
  await first.runOnce();
  await arrived.given;
  bundle.store.pass(15);
  await second.runOnce();
  await second.drain();
  await liveThrough();
  held.give();
  await expect.poll(pods, SOON).toHaveLength(1);
  await first.drain();
  const left = async () => {
    await cleanFinished(bundle.context);
    return pods().filter(({ metadata }) => !(metadata as { deletionTimestamp?: string }).deletionTimestamp);
  };
  await expect.poll(left, SOON).toEqual([]);
  expect(rig.server.counts()).toMatchObject({ list: 1 });
  rig.server.objects.remove({ resource: "pods", namespace: "default", name: await podName() }, null, 0);
  await expect.poll(() => query("select 1 from attempt where cleaned_at is null"), SOON).toEqual([]);
  expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "success" });
});
