import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startFaultProxy } from "../../test/support/fault-proxy.ts";
import { openStoreBundle, dagOf, outcomeOf, type StoreBundle, taskOf } from "../../test/support/store-bundle.ts";
import type { Executor, LaunchResult } from "../executors/executor.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { claimAttempts, recordLaunches } from "../store/attempt-launch.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { createSealer } from "../store/sealing.ts";
import { createLauncher } from "./launch-queued.ts";

const LAUNCH_BUDGET = 100;

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
  await store.save(dagOf("d", [taskOf("a")]));
  await store.trigger("d");
  await store.settle();
});
afterEach(() => store.close());

/** A launcher of an executor that answers as it is told. */
function launcherOf(answer: () => LaunchResult, db: Database = store.db) {
  const executor: Executor = {
    name: "local",
    launchConcurrency: 4,
    namespaceFor: () => null,
    launch: async () => answer(),
    remove: async () => "gone",
    start: async () => {},
    stop: async () => {},
  };
  const launcher = createLauncher(
    {
      db,
      executor,
      rules: store.rules,
      sealer: createSealer([]),
      clock: { ...systemClock, now: store.now },
      log: createLogger("silent"),
      holder: "me",
      newId: randomUUID,
      checkParams: (_dag, conf) => conf,
      issueLaunchToken: async () => "token",
      issueResultToken: async () => "token",
      limits: {
        parallelism: 10,
        launch: LAUNCH_BUDGET,
        overdue: { image: 1, configuration: 1, start: 1, heartbeat: 1 },
      },
    },
    () => {},
  );
  const launch = async () => {
    await launcher.runOnce();
    await launcher.drain();
  };
  return Object.assign(launch, launcher);
}

const readAttempt = async () =>
  (await store.db.query({ text: "select state, outcome, launch_failures, waiting_reason from attempt" })).rows[0];

it("counts the launch budget from the first launch that failed, not from the wait before it", async () => {
  const launch = launcherOf(() => ({ kind: "retry", reason: "no quota", retry_after_ms: null }));
  store.pass(LAUNCH_BUDGET + 1);
  await launch();
  expect(await readAttempt()).toMatchObject({ state: "queued", launch_failures: 1, waiting_reason: "no quota" });
  store.pass(LAUNCH_BUDGET + 1);
  await launch();
  expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "launch_failed" });
});

it("puts off a launch that fails unexpectedly, with the reason and within the budget", async () => {
  const launch = launcherOf(() => {
    throw new TypeError("pod is no object");
  });
  await launch();
  expect(await readAttempt()).toMatchObject({
    state: "queued",
    launch_failures: 1,
    waiting_reason: "The launch failed unexpectedly: pod is no object",
  });
  store.pass(LAUNCH_BUDGET + 1);
  await launch();
  expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "launch_failed" });
});

it.each(["launch_failed", "launch_refused"] as const)(
  "a %s leaves an attempt alone that an earlier, unanswered create of it has started",
  async (kind) => {
    const claim = { executor: "local", holder: "me", limit: 1, leaseMs: 60_000 };
    const [attempt] = await claimAttempts(store.db, claim, store.now());
    if (!attempt) throw new Error("nothing to claim");
    const started = await store.start(attempt.attempt_id);
    const record = { attempt_id: attempt.attempt_id, kind: "ended" as const, outcome: outcomeOf(kind) };
    await recordLaunches(store.db, store.rules, "me", [record], store.now());
    expect(await readAttempt()).toMatchObject({ state: "running", outcome: null });
    await store.finish(started);
    expect(await readAttempt()).toMatchObject({ state: "finished", outcome: "success" });
  },
);

it("ends without Postgres, whose rows let another scheduler repeat what could not be recorded", async () => {
  const url = new URL(store.db.url);
  const proxy = await startFaultProxy(url.hostname, Number(url.port));
  url.port = String(proxy.port);
  const db = openDatabase({ url: url.href, poolSize: 2, applicationName: "cut", log: createLogger("silent") });
  const launch = launcherOf(() => {
    proxy.refuse(true);
    proxy.cut();
    return { kind: "launched", pod_uid: "uid" };
  }, db);
  // Its other statements may meet the end too; that the drain after them does not throw is what counts.
  await launch.runOnce().catch(() => {});
  await launch.drain();
  await db.close();
  await proxy.close();
  store.pass(15);
  const claim = { executor: "local", holder: "another", limit: 1, leaseMs: 1_000 };
  expect(await claimAttempts(store.db, claim, store.now())).toHaveLength(1);
});
