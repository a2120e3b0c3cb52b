import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExecutorName } from "../../src/core/executor-name.ts";
import type { Observation } from "../../src/core/observation.ts";
import { claimRemains, listExpectedAttempts, markCleaned } from "../../src/store/attempt-clean.ts";
import { claimAttempts, recordLaunches } from "../../src/store/attempt-launch.ts";
import { endOverdueAttempts } from "../../src/store/attempt-overdue.ts";
import type { Database } from "../../src/store/database.ts";
import { recordHeartbeat, releaseQuarantine } from "../../src/store/heartbeats.ts";
import { acquireLease, releaseLease } from "../../src/store/leases.ts";
import { loadPosition, recordObservations } from "../../src/store/observations.ts";
import {
  dagOf,
  type LaunchedAttempt,
  openStoreBundle,
  outcomeOf,
  type StoreBundle,
  taskOf,
} from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
  await store.save(dagOf("d", [taskOf("a")]));
});
afterEach(() => store.close());

async function launchOne(): Promise<{ runId: number; attempt: LaunchedAttempt }> {
  const run = await store.trigger("d");
  await store.settle();
  const [attempt] = await store.launch();
  if (!attempt) throw new Error("nothing was launched");
  return { runId: run.id, attempt };
}

function seen(attempt: LaunchedAttempt, more: Partial<Observation> = {}): Observation {
  return {
    attempt_id: attempt.attempt_id,
    epoch: attempt.epoch,
    namespace: null,
    pod_uid: attempt.pod_uid,
    pod_scheduled_at: null,
    container_started_at: null,
    waiting: null,
    outcome: null,
    container: null,
    process_ended: true,
    gone: false,
    ...more,
  };
}

const record = (observations: Observation[], executor: ExecutorName = "local") =>
  recordObservations(store.db, store.rules, { executor, observations, position: null, lease: null }, store.now());

describe("an attempt", () => {
  it("is run by one worker, and answers its repeated start alike", async () => {
    const { attempt } = await launchOne();
    const worker = randomUUID();
    const first = await store.start(attempt.attempt_id, worker);
    expect(await store.start(attempt.attempt_id, worker)).toEqual(first);
    await expect(store.start(attempt.attempt_id)).rejects.toMatchObject({ code: "attempt_stale" });
  });

  it("ends once: its own report wins over what happens to its pod afterwards", async () => {
    const { runId, attempt } = await launchOne();
    await store.finish(await store.start(attempt.attempt_id), "success", 7);
    await record([seen(attempt, { outcome: outcomeOf("evicted"), gone: true })]);
    await store.settle();
    expect(await store.runState(runId)).toBe("success");
  });

  it("takes a repeated report, and refuses another one", async () => {
    const { attempt } = await launchOne();
    const started = await store.start(attempt.attempt_id);
    await store.finish(started);
    await store.finish(started);
    await expect(store.finish(started, "task_failed")).rejects.toMatchObject({ code: "attempt_stale" });
  });

  it("is refused when its pod was seen to end before it started, and replaced without a try", async () => {
    const { attempt } = await launchOne();
    await record([seen(attempt, { outcome: outcomeOf("drained"), gone: true })]);
    await expect(store.start(attempt.attempt_id)).rejects.toMatchObject({ code: "attempt_stale" });
    store.pass(1);
    const [next] = await store.workThrough();
    expect(next?.epoch).toBe(2);
    expect(next?.context.try_number).toBe(1);
  });

  it("cannot report once it was replaced", async () => {
    const { attempt } = await launchOne();
    const old = await store.start(attempt.attempt_id);
    await record([seen(attempt, { outcome: outcomeOf("node_lost") })]);
    store.pass(1);
    await store.settle();
    await expect(store.finish(old)).rejects.toMatchObject({ code: "attempt_stale" });
  });

  it("is not touched by a pod of the same name with another uid", async () => {
    const { runId, attempt } = await launchOne();
    await record([seen(attempt, { pod_uid: "another", outcome: outcomeOf("deleted"), gone: true })]);
    expect(await store.states(runId)).toEqual({ a: "queued" });
    expect(await record([seen(attempt), seen(attempt)])).toBeUndefined();
  });

  it("is not touched by a pod that is marked as of another of the instance's attempts", async () => {
    const { runId, attempt } = await launchOne();
    const stale = { epoch: attempt.epoch + 1, outcome: outcomeOf("deleted"), gone: true };
    await record([seen(attempt, stale)]);
    expect(await store.states(runId)).toEqual({ a: "queued" });
  });

  it("is ended by its own pod alone, whatever another with its marks does in the same batch", async () => {
    const { attempt } = await launchOne();
    const copy = { pod_uid: "copy" };
    await record([seen(attempt), seen(attempt, { ...copy, outcome: outcomeOf("deleted"), gone: true }), seen(attempt)]);
    expect((await store.db.query({ text: "select outcome from attempt" })).rows).toEqual([{ outcome: null }]);
    await record([seen(attempt, { outcome: outcomeOf("evicted") }), seen(attempt, copy)]);
    expect((await store.db.query({ text: "select outcome from attempt" })).rows).toEqual([{ outcome: "evicted" }]);
  });

  it("whose pod vanished without an end is lost, with a reason", async () => {
    const { attempt } = await launchOne();
    await record([seen(attempt, { gone: true })]);
    const { rows } = await store.db.query({ text: "select outcome, outcome_reason from attempt" });
    expect(rows).toEqual([{ outcome: "lost", outcome_reason: "its pod vanished before an end was seen" }]);
  });

  it("whose claimer died is claimed by another after the lease", async () => {
    await store.trigger("d");
    await store.settle();
    const claim = (holder: string) => ({ executor: "local", holder, limit: 10, leaseMs: 60_000 });
    expect(await claimAttempts(store.db, claim("dead"), store.now())).toHaveLength(1);
    expect(await claimAttempts(store.db, claim("other"), store.now())).toHaveLength(0);
    store.pass(61);
    expect(await claimAttempts(store.db, claim("other"), store.now())).toHaveLength(1);
  });

  it("whose pod vanished while it ran is replaced only once its worker must have stopped, or was refused", async () => {
    const { runId, attempt } = await launchOne();
    await store.start(attempt.attempt_id);
    await record([seen(attempt, { gone: true, process_ended: false })]);
    store.pass(329);
    expect(await store.workThrough()).toEqual([]);
    store.pass(1);
    expect(await store.workThrough()).toHaveLength(1);
    expect(await store.runState(runId)).toBe("success");

    const other = await launchOne();
    const started = await store.start(other.attempt.attempt_id);
    await record([seen(other.attempt, { gone: true, process_ended: false })]);
    await expect(recordHeartbeat(store.db, started, store.now())).rejects.toMatchObject({ code: "attempt_stale" });
    await releaseQuarantine(store.db, started.attempt_id, store.now());
    expect(await store.workThrough()).toEqual([]);
    store.pass(1);
    expect(await store.workThrough()).toHaveLength(1);
  });

  it("that the cluster will not take yet is put off with the reason, and refused for good with its end", async () => {
    const run = await store.trigger("d");
    await store.settle();
    const claim = { executor: "local", holder: "me", limit: 10, leaseMs: 60_000 };
    const [first] = await claimAttempts(store.db, claim, store.now());
    if (!first) throw new Error("nothing to claim");
    const later = new Date(store.now().getTime() + 5_000);
    const putOff = {
      attempt_id: first.attempt_id,
      kind: "put_off" as const,
      reason: "exceeded quota: pods",
      launch_after: later,
    };
    await recordLaunches(store.db, store.rules, "me", [putOff], store.now());
    const { rows } = await store.db.query({ text: "select state, waiting_reason, launch_failures from attempt" });
    expect(rows).toEqual([{ state: "queued", waiting_reason: "exceeded quota: pods", launch_failures: 1 }]);
    expect(await claimAttempts(store.db, claim, store.now())).toHaveLength(0);
    store.pass(6);
    expect(await claimAttempts(store.db, claim, store.now())).toHaveLength(1);
    const refused = { attempt_id: first.attempt_id, kind: "ended" as const, outcome: outcomeOf("launch_refused") };
    await recordLaunches(store.db, store.rules, "me", [refused], store.now());
    expect(await store.states(run.id)).toEqual({ a: "failed" });
  });

  it("that is silent for too long is ended", async () => {
    const { runId, attempt } = await launchOne();
    await store.start(attempt.attempt_id);
    const limits = { image: 1, configuration: 1, start: 1, heartbeat: 330 };
    store.pass(329);
    expect(await endOverdueAttempts(store.db, store.rules, limits, store.now())).toEqual({ open: 1, ended: 0 });
    store.pass(1);
    expect(await endOverdueAttempts(store.db, store.rules, limits, store.now())).toEqual({ open: 1, ended: 1 });
    expect(await store.states(runId)).toEqual({ a: "up_for_retry" });
  });

  it("that starts in the moment in which its time to start is over has started", async () => {
    const { runId, attempt } = await launchOne();
    store.pass(2);
    const limits = { image: 1, configuration: 1, start: 1, heartbeat: 330 };
    const query: Database["query"] = async (statement) => {
      const answer = await store.db.query(statement);
      if (statement.name === "open_attempts") await store.start(attempt.attempt_id);
      return answer as never;
    };
    const ended = await endOverdueAttempts({ ...store.db, query }, store.rules, limits, store.now());
    expect(ended).toEqual({ open: 1, ended: 0 });
    expect(await store.states(runId)).toEqual({ a: "running" });
  });

  it("is expected until it is cleaned", async () => {
    const { attempt } = await launchOne();
    const expected = () => listExpectedAttempts(store.db, "local");
    expect(await expected()).toMatchObject([{ attempt_id: attempt.attempt_id, state: "launched" }]);
    await store.finish(await store.start(attempt.attempt_id));
    const claim = { executor: "local", holder: "me", limit: 10, leaseMs: 30_000 };
    expect(await claimRemains(store.db, claim, store.now())).toMatchObject([{ pod_uid: attempt.pod_uid }]);
    expect(await claimRemains(store.db, claim, store.now())).toEqual([]);
    store.pass(31);
    expect(await claimRemains(store.db, claim, store.now())).toHaveLength(1);
    await markCleaned(store.db, [attempt], store.now());
    expect(await expected()).toEqual([]);
  });
});

it("is not moved by its marks on a pod of another cluster, even before its own pod is known", async () => {
  await store.trigger("d");
  await store.settle();
  const claim = { executor: "local", holder: "me", limit: 10, leaseMs: 60_000 };
  const [attempt] = await claimAttempts(store.db, claim, store.now());
  if (!attempt) throw new Error("nothing was claimed");
  const foreign = seen({ ...attempt, pod_uid: "forged" }, { outcome: outcomeOf("task_failed"), gone: true });
  const read = async () => (await store.db.query({ text: "select state, pod_uid, outcome from attempt" })).rows;
  await record([foreign], "kubernetes:gpu");
  expect(await read()).toEqual([{ state: "launching", pod_uid: null, outcome: null }]);
  await record([foreign]);
  expect(await read()).toEqual([{ state: "finished", pod_uid: "forged", outcome: "task_failed" }]);
});

describe("a watch's position", () => {
  it("is saved with what it covers, and refused to a holder whose lease has passed on", async () => {
    const { attempt } = await launchOne();
    const mine = await acquireLease(store.db, "watch", "me", 60_000);
    if (!mine) throw new Error("the lease is free");
    expect(await acquireLease(store.db, "watch", "other", 60_000)).toBeNull();
    expect(await acquireLease(store.db, "watch", "me", 60_000)).toEqual(mine);
    const position = { key: "k", resource_version: "17" };
    const batch = { executor: "local" as const, observations: [seen(attempt)], position, lease: mine };
    await recordObservations(store.db, store.rules, batch, store.now());
    expect(await loadPosition(store.db, "k")).toEqual({
      resource_version: "17",
      updated_at: store.now().toISOString(),
    });

    await releaseLease(store.db, mine);
    const theirs = await acquireLease(store.db, "watch", "other", 60_000);
    expect(Number(theirs?.token)).toBeGreaterThan(Number(mine.token));
    const late = {
      ...batch,
      observations: [seen(attempt, { gone: true })],
      position: { key: "k", resource_version: "18" },
    };
    await expect(recordObservations(store.db, store.rules, late, store.now())).rejects.toMatchObject({
      code: "lease_lost",
    });
    expect((await loadPosition(store.db, "k"))?.resource_version).toBe("17");
    expect((await store.db.query({ text: "select outcome from attempt" })).rows).toEqual([{ outcome: null }]);
  });
});
