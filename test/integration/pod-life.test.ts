// What becomes of pods before and after their attempts' lives: kept ones, memory that grows, limits of their own. Through the
// scheduler's own passes and a real store; the executor is played by the test.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { OutcomeKind } from "../../src/core/outcome.ts";
import type { LaunchOrder } from "../../src/executors/executor.ts";
import type { LaunchReport } from "../../src/scheduler/activity.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { lookAtEvents } from "../../src/scheduler/look-at-events.ts";
import { removeKept } from "../../src/scheduler/remove-kept.ts";
import { rescueLost } from "../../src/scheduler/rescue-lost.ts";
import { listExpectedAttempts } from "../../src/store/attempt-clean.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, outcomeOf, taskOf } from "../support/store-bundle.ts";

const Mi = 1024n * 1024n;

let { store, context, removed, launchOne, see } = {} as SchedulerBundle;
let kept: string[];
let reports: LaunchReport[];
let keepAnswer: "kept" | "gone" | "running";

beforeEach(async () => {
  kept = [];
  reports = [];
  keepAnswer = "kept";
  const bundle = await openSchedulerBundle({
    keep: async (handle) => {
      kept.push(handle.attempt_id);
      return keepAnswer;
    },
  });
  ({ store, context, removed, launchOne, see } = bundle);
  context.onLaunch = (report) => reports.push(report);
});
afterEach(() => store.close());

async function begin(more: Partial<TaskDefinition>): Promise<LaunchOrder> {
  await store.save(dagOf("d", [taskOf("a", [], more)]));
  await store.trigger("d");
  return launchOne();
}

const end = (order: LaunchOrder, kind: OutcomeKind, more: Partial<Observation> = {}) =>
  see(order, { outcome: outcomeOf(kind), process_ended: true, ...more });
const reasonOf = async () => {
  const { rows } = await store.db.query<{ state: string; reason: string | null }>({
    text: "select state, reason from task_instance",
  });
  return rows[0];
};

describe("pods of ended attempts", () => {
  it.each([
    ["none by default", undefined, "task_failed", false],
    ["those that failed", { keep: "failed", for: null }, "task_failed", true],
    ["those that the cluster failed", { keep: "failed", for: null }, "evicted", true],
    ["not those that succeeded", { keep: "failed", for: null }, "success", false],
    ["not those that skipped", { keep: "failed", for: null }, "skipped", false],
    ["all", { keep: "always", for: null }, "success", true],
  ] as const)("are kept: %s", async (_, pods, kind, expected) => {
    const order = await begin(pods === undefined ? {} : { pods });
    await end(order, kind);
    expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 1 } });
    expect({ kept, removed }).toEqual(
      expected ? { kept: [order.attempt_id], removed: [] } : { kept: [], removed: [order.attempt_id] },
    );
  });

  it("cost nothing more, and go when their time is over", async () => {
    const order = await begin({ pods: { keep: "always", for: 3_600 } });
    await end(order, "success");
    await cleanFinished(context);
    expect(await listExpectedAttempts(store.db, "local")).toEqual([]);
    expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 0 } });
    store.pass(3_599);
    expect(await removeKept(context)).toMatchObject({ counts: { expired: 0 }, dueInMs: 1_000 });
    store.pass(1);
    expect(await removeKept(context)).toMatchObject({ counts: { expired: 1, removed: 1 }, dueInMs: null });
    expect({ kept, removed }).toEqual({ kept: [order.attempt_id], removed: [order.attempt_id] });
    expect(await removeKept(context)).toMatchObject({ counts: { expired: 0 } });
  });

  it("are forgotten by no deletion of history, and a removal that fails is repeated", async () => {
    const order = await begin({ pods: { keep: "always", for: 60 } });
    await end(order, "success");
    await cleanFinished(context);
    await store.db.query({ text: "delete from dag_run" });
    store.pass(60);
    const { remove } = context.executor;
    context.executor.remove = () => Promise.reject(new Error("the API server is away"));
    expect(await removeKept(context)).toMatchObject({ counts: { expired: 1, removed: 0 } });
    context.executor.remove = remove;
    expect(await removeKept(context)).toMatchObject({ counts: { expired: 0 } });
    store.pass(30);
    await removeKept(context);
    expect(removed).toEqual([order.attempt_id]);
  });

  it("are kept once the API server answers, and not removed before", async () => {
    const order = await begin({ pods: { keep: "always", for: null } });
    await end(order, "success");
    const { keep } = context.executor;
    context.executor.keep = () => Promise.reject(new Error("no answer within 20000 ms"));
    expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 0 } });
    if (keep) context.executor.keep = keep;
    expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 0 } });
    store.pass(30);
    expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 1 } });
    expect({ kept, removed }).toEqual({ kept: [order.attempt_id], removed: [] });
  });

  it("that do not end are removed after a minute", async () => {
    const order = await begin({ pods: { keep: "always", for: null } });
    await end(order, "timed_out");
    keepAnswer = "running";
    for (let second = 0; second < 60; second += 1) {
      expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 0 }, dueInMs: 1_000 });
      store.pass(1);
    }
    expect(removed).toEqual([]);
    await cleanFinished(context);
    expect(removed).toEqual([order.attempt_id]);
  });
});

describe("memory", () => {
  const growth = { memory_growth: { factor: 2, max: "700Mi" } };

  it("grows after each out-of-memory kill, up to its cap, and stays so for later runs", async () => {
    const first = await begin(growth);
    expect(first.memory_floor).toBeNull();
    await end(first, "out_of_memory", { memory_limit: 256n * Mi });
    expect((await reasonOf())?.reason).toMatch(/fault 1 of 3: it ended as out_of_memory; the next attempt gets 512Mi/);
    store.pass(1);
    const second = await launchOne();
    expect(second).toMatchObject({ memory_floor: 512n * Mi, try_number: 1 });
    await end(second, "out_of_memory", { memory_limit: 512n * Mi });
    store.pass(5);
    const third = await launchOne();
    expect(third.memory_floor).toBe(700n * Mi);
    await end(third, "out_of_memory", { memory_limit: 700n * Mi });
    expect((await reasonOf())?.reason).not.toContain("gets");
    store.pass(60);
    const fourth = await launchOne();
    await end(fourth, "success");
    await store.trigger("d");
    expect((await launchOne()).memory_floor).toBe(700n * Mi);
  });

  it("is learned of its own task alone, and only by out-of-memory kills", async () => {
    const order = await begin({ ...growth, retries: 1 });
    await end(order, "task_failed", { memory_limit: 256n * Mi });
    expect((await launchOne()).memory_floor).toBeNull();
  });

  it("does not grow unless the task asks for it, nor without a limit", async () => {
    const order = await begin({});
    await end(order, "out_of_memory", { memory_limit: 256n * Mi });
    store.pass(1);
    expect((await launchOne()).memory_floor).toBeNull();
    const other = await begin(growth);
    await end(other, "out_of_memory");
    store.pass(1);
    expect((await launchOne()).memory_floor).toBeNull();
  });

  it("follows a cap that was lowered since", async () => {
    const order = await begin(growth);
    await end(order, "out_of_memory", { memory_limit: 512n * Mi });
    store.pass(1);
    await end(await launchOne(), "success");
    await store.save(dagOf("d", [taskOf("a", [], { memory_growth: { factor: 2, max: "600Mi" } })]), "later");
    await store.trigger("d");
    expect((await launchOne()).memory_floor).toBe(600n * Mi);
  });
});

describe("a task's own limits", () => {
  const at = (seconds: number) => new Date(store.now().getTime() + seconds * 1000).toISOString();
  const outcome = async () => {
    const { rows } = await store.db.query<{ outcome: string | null; outcome_reason: string | null }>({
      text: "select outcome, outcome_reason from attempt order by epoch limit 1",
    });
    return rows[0];
  };
  /** How the attempt has ended a second before, and after `seconds`. */
  const endsAfter = async (seconds: number) => {
    store.pass(seconds - 1);
    await rescueLost(context);
    const before = (await outcome())?.outcome;
    store.pass(1);
    await rescueLost(context);
    const after = await outcome();
    return [before, after?.outcome, after?.outcome_reason];
  };

  it("scheduleTimeout is for a pod without a node", async () => {
    await begin({ schedule_timeout: 120, start_timeout: 30 });
    expect(await endsAfter(120)).toEqual([null, "start_timeout", "it got no node within 120 s"]);
  });

  it("startTimeout counts from the node, and for the wait for one too when it is alone", async () => {
    await begin({ start_timeout: 30 });
    expect(await endsAfter(30)).toEqual([null, "start_timeout", "it got no node within 30 s"]);
  });

  it("startTimeout begins anew once a node has the pod", async () => {
    const order = await begin({ schedule_timeout: 120, start_timeout: 30 });
    store.pass(100);
    await see(order, { pod_scheduled_at: at(0), waiting: { kind: "starting", reason: "it is pulling" } });
    expect(await endsAfter(30)).toEqual([
      null,
      "start_timeout",
      "it did not start on its node within 30 s: it is pulling",
    ]);
  });

  it("others are held to the installation's", async () => {
    await begin({});
    expect(await endsAfter(600)).toEqual([null, "start_timeout", "it did not start within 600 s"]);
  });
});

it("reports each launch", async () => {
  await begin({});
  expect(reports).toEqual([{ cluster: null, outcome: "launched", slot_wait: 0, launch_delay: 0 }]);
});

describe("events of pods that wait", () => {
  const event = { at: "2026-11-21T08:00:07.000Z", text: "FailedMount: no \0 volume" };
  const seen = async () => {
    const { rows } = await store.db.query({ text: "select last_event, last_event_at, image_pulled_at from attempt" });
    return rows[0];
  };

  it("are asked for after 10 seconds and then every 30, and kept", async () => {
    const order = await begin({});
    const asked: string[] = [];
    context.executor.readEvents = async (handle) => {
      asked.push(handle.attempt_id);
      return { last: event, image_pulled_at: "2026-11-21T08:00:06.000Z" };
    };
    const passes: number[] = [];
    for (const seconds of [9, 1, 29, 1]) {
      store.pass(seconds);
      passes.push((await lookAtEvents(context)).counts["asked"] ?? 0);
    }
    expect({ passes, asked }).toEqual({ passes: [0, 1, 0, 1], asked: [order.attempt_id, order.attempt_id] });
    expect(await seen()).toEqual({
      last_event: "FailedMount: no \u2400 volume",
      last_event_at: new Date(event.at),
      image_pulled_at: new Date("2026-11-21T08:00:06.000Z"),
    });
  });

  it("are asked for when the cluster has ended the attempt, and change nothing when they may not be read", async () => {
    const order = await begin({});
    context.executor.readEvents = () => Promise.reject(new Error("forbidden"));
    store.pass(10);
    expect(await lookAtEvents(context)).toMatchObject({ counts: { asked: 1 } });
    context.executor.readEvents = async () => ({ last: event, image_pulled_at: null });
    await end(order, "start_timeout");
    await cleanFinished(context);
    expect(await seen()).toMatchObject({ last_event_at: new Date(event.at) });
    expect(removed).toEqual([order.attempt_id]);
  });
});
