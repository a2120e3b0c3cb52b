// Schedulers that are killed in the middle of what they do, and the others that carry it on: through their own passes, over
// one store and the fake API server. A scheduler is dead when nothing that it waits for ever comes.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Executor, Handle } from "../../src/executors/executor.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import type { LeasedWork } from "../../src/scheduler/leased-work.ts";
import { terminated } from "../support/api-server.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

const SOON = { timeout: 15_000 };
const TASKS = 20;

let passes: PassesRig;
let { rig, bundle, executor, begin, contextOf, launcherOf, pods, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig();
  ({ rig, bundle, executor, begin, contextOf, launcherOf, pods, query } = passes);
});
afterEach(() => passes.close());

const never = new Promise<never>(() => {});
const claimsOf = async (launcher: LeasedWork) => (await launcher.runOnce()).counts["claimed"];

describe("launches of a scheduler that is killed", () => {
  it.each<[string, number, Partial<Executor>]>([
    ["before its creates", 0, { launch: () => never }],
    ["before their answers", TASKS, { launch: (order) => executor.launch(order).then(() => never) }],
    ["before it wrote them down", TASKS, {}],
  ])("%s are made good by another within 15 seconds, and make one pod each", async (_, made, dying) => {
    await begin(TASKS);
    const [dead, other] = [launcherOf("dead", dying), launcherOf("other")];
    expect(await claimsOf(dead)).toBe(TASKS);
    await expect.poll(() => pods().length, SOON).toBe(made);
    expect(await other.runOnce()).toMatchObject({ counts: { claimed: 0 }, dueInMs: 15_000 });
    bundle.store.pass(15);
    expect(await claimsOf(other)).toBe(TASKS);
    await other.drain();
    expect(pods()).toHaveLength(TASKS);
    const uids = pods().map((pod) => (pod["metadata"] as { uid: string }).uid);
    const attempts = await query<{ state: string; pod_uid: string }>("select state, pod_uid from attempt");
    expect(attempts.map(({ pod_uid }) => pod_uid).toSorted()).toEqual(uids.toSorted());
    expect(new Set(attempts.map(({ state }) => state))).toEqual(new Set(["launched"]));
  });
});

it("launches that take minutes stay with the scheduler that makes them while it lives", async () => {
  await begin(TASKS);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const slow = launcherOf("slow", { launch: (order) => answered.then(() => executor.launch(order)) });
  const other = launcherOf("other");
  expect(await claimsOf(slow)).toBe(TASKS);
  for (let seconds = 0; seconds < 180; seconds += 5) {
    bundle.store.pass(5);
    expect(await claimsOf(slow)).toBe(0);
    expect(await claimsOf(other)).toBe(0);
  }
  answer();
  await slow.drain();
  expect(rig.server.counts()).toMatchObject({ create: TASKS });
});

it("a scheduler whose claims ran out while it could not renew them begins no launch a second time", async () => {
  await begin(TASKS);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const launcher = launcherOf("held up", { launch: (order) => answered.then(() => executor.launch(order)) });
  await launcher.runOnce();
  await query("update attempt set claimed_by = 'nobody'");
  bundle.store.pass(60);
  expect(await claimsOf(launcher)).toBe(12);
  answer();
  await launcher.drain();
  expect(rig.server.counts()).toMatchObject({ create: TASKS });
});

it.each<[string, (handle: Handle) => Promise<unknown>]>([
  ["before it removed their pods", async () => {}],
  ["before it wrote down that they are gone", (handle) => executor.remove(handle)],
])("ended attempts of a scheduler that is killed %s leave nothing", async (_, last) => {
  const { store } = bundle;
  await begin(TASKS);
  await executor.start();
  const launcher = launcherOf("other");
  await launcher.runOnce();
  await launcher.drain();
  for (const { id, pod_name } of await query<{ id: string; pod_name: string }>("select id, pod_name from attempt")) {
    await store.finish(await store.start(id));
    await rig.setStatus(pod_name, terminated(0));
  }
  // What the watch has still to write is locked, and passed over.
  const unseen = () => query("select 1 from attempt where container_started_at is null");
  await expect.poll(unseen, SOON).toEqual([]);
  let asked = 0;
  const remove = async (handle: Handle) => {
    await last(handle);
    asked += 1;
    return never;
  };
  void cleanFinished(contextOf("dead", { remove }));
  await expect.poll(() => asked, SOON).toBe(TASKS);
  const other = contextOf("other");
  expect(await cleanFinished(other)).toMatchObject({ counts: { asked: 0 } });
  store.pass(30);
  const left = async () => (await query("select 1 from attempt where cleaned_at is null")).length;
  await expect.poll(async () => (await cleanFinished(other), left()), SOON).toBe(0);
  expect(pods()).toEqual([]);
  expect(await query("select distinct state from task_instance")).toEqual([{ state: "success" }]);
});
