// Logs of containers without a worker, kept while they run, through the scheduler's own passes and a real store. The kubelet
// is played by the test.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseLogTime } from "../../src/core/log-position.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { followLogs } from "../../src/scheduler/follow-logs.ts";
import { createPostgresObjects } from "../../src/store/postgres-objects.ts";
import { LOG_START, readTryLog } from "../../src/store/try-log.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, outcomeOf, taskOf } from "../support/store-bundle.ts";

const STARTED = "2026-11-21T08:00:05.000Z";

let bundle: SchedulerBundle;
let { store, context, removed, launchOne, see } = {} as SchedulerBundle;
afterEach(() => store.close());

const podTask = (taskId: string) =>
  taskOf(taskId, [], {
    kind: "pod",
    container: { image: "x", cmds: null, arguments: null, env: {}, get_logs: true, skip_on_exit_codes: [] },
  });

async function instance() {
  const { rows } = await store.db.query<{ id: string; state: string }>({ text: "select id, state from task_instance" });
  const [row] = rows;
  if (!row) throw new Error("no task");
  return row;
}

async function logOf(): Promise<[string, string][]> {
  const lines = await readTryLog(store.db, createPostgresObjects(store.db), (await instance()).id, 1, LOG_START, 100);
  return lines.map(({ level, event }) => [level, event]);
}

describe("the log of a container that runs", () => {
  /** What the container has written; a line's place is its time. */
  let written: string[];
  let asked: bigint[];
  const line = (event: string) => ({ timestamp: STARTED, event });

  beforeEach(async () => {
    written = [];
    asked = [];
    bundle = await openSchedulerBundle();
    ({ store, context, removed, launchOne, see } = bundle);
    context.executor.readLog = async () => null;
    context.executor.followLog = async (_, from) => {
      asked.push(from.latest);
      const lines = written.slice(Number(from.latest + 1n)).map(line);
      return { lines, position: { since: 0, taken: 0, latest: BigInt(written.length) - 1n }, more: false };
    };
    await store.save(dagOf("d", [podTask("a")]));
    await store.trigger("d");
  });
  const begin = async () => {
    const order = await launchOne();
    await see(order, { container_started_at: STARTED, container: { result: null } });
    return order;
  };

  it("is kept piece by piece, and its end after it: each line once, in their order", async () => {
    expect(await followLogs(context)).toMatchObject({ counts: { read: 0 }, dueInMs: null });
    const order = await begin();
    written = ["one", "two \0"];
    expect(await followLogs(context)).toMatchObject({ counts: { read: 1 }, dueInMs: 2_000 });
    expect((await logOf()).map(([, event]) => event)).toEqual(["one", "two \u2400"]);
    written.push("three");
    expect(await followLogs(context)).toMatchObject({ counts: { read: 0 } });
    store.pass(2);
    await followLogs(context);
    written.push("four");
    await see(order, { outcome: outcomeOf("success"), container: { result: 1 }, process_ended: true });
    await cleanFinished(context);
    await cleanFinished(context);
    store.pass(60);
    expect(await followLogs(context)).toMatchObject({ counts: { read: 0 }, dueInMs: null });
    expect((await logOf()).map(([, event]) => event)).toEqual([
      "one",
      "two \u2400",
      "three",
      "four",
      "it ended as success",
    ]);
    expect(removed).toEqual([order.attempt_id]);
  });

  it("is asked for less often the longer it is silent", async () => {
    await begin();
    const waits: (number | null | undefined)[] = [];
    for (let pass = 0; pass < 6; pass += 1) {
      const { dueInMs } = await followLogs(context);
      waits.push(dueInMs);
      store.pass((dueInMs ?? 0) / 1000);
    }
    expect(waits).toEqual([4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    written = ["again"];
    expect(await followLogs(context)).toMatchObject({ dueInMs: 2_000 });
  });

  it("changes nothing when it cannot be read, and is read on later", async () => {
    await begin();
    written = ["one"];
    const { followLog } = context.executor;
    context.executor.followLog = () => Promise.reject(new Error("the node does not answer"));
    await followLogs(context);
    expect((await instance()).state).toBe("running");
    expect(await logOf()).toEqual([]);
    if (followLog) context.executor.followLog = followLog;
    store.pass(4);
    await followLogs(context);
    expect(await logOf()).toEqual([["info", "one"]]);
  });

  it.each([
    ["all of its end when that reaches back to what is known", 1, []],
    ["a warning where lines are left out", 2, ["The log was too long to keep all of it: this is its last part"]],
  ])("has %s, told to the nanosecond", async (_, from, warning) => {
    const order = await begin();
    written = ["one"];
    const { followLog } = context.executor;
    context.executor.followLog = async (handle, position, ended) => {
      const part = await followLog?.(handle, position, ended);
      const seen = { since: 0, taken: 1, latest: parseLogTime("2026-11-21T08:00:05.123456001Z") ?? 0n };
      return part ? { ...part, position: seen, more: ended } : null;
    };
    await followLogs(context);
    const tail = ["one", "two", "three"].map((event, index) => ({
      timestamp: `2026-11-21T08:00:05.12345600${index + 1}Z`,
      event,
    }));
    context.executor.readLog = async () => ({ lines: tail.slice(from - 1), shortened: true });
    await see(order, { outcome: outcomeOf("success"), container: { result: 1 }, process_ended: true });
    await cleanFinished(context);
    expect((await logOf()).map(([, event]) => event)).toEqual([
      "one",
      ...warning,
      "two",
      "three",
      "it ended as success",
    ]);
  });

  it("is kept once when two read the same piece, and not after its end", async () => {
    const order = await begin();
    written = ["one", "two"];
    const { followLog } = context.executor;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    context.executor.followLog = async (...given) => {
      const part = await followLog?.(...given);
      await held;
      return part ?? null;
    };
    const slow = followLogs(context);
    await expect.poll(() => asked.length).toBe(1);
    // The slow one's claim has run out.
    store.pass(61);
    if (followLog) context.executor.followLog = followLog;
    await followLogs(context);
    await see(order, { outcome: outcomeOf("success"), container: { result: 1 }, process_ended: true });
    await cleanFinished(context);
    release();
    await slow;
    expect((await logOf()).map(([, event]) => event)).toEqual(["one", "two", "it ended as success"]);
  });
});
