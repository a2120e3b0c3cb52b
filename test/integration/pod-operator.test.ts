// Attempts without a worker, through the scheduler's own passes and a real store: what was seen of their pods is all there is.
// The executor is played by the test: it keeps what it was asked to launch, and says what the test says of logs.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ResolvedContainer } from "../../src/core/container.ts";
import type { TaskDefinition } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { ContainerLog, LaunchOrder } from "../../src/executors/executor.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { rescueLost } from "../../src/scheduler/rescue-lost.ts";
import { createPostgresObjects } from "../../src/store/postgres-objects.ts";
import { LOG_START, readTryLog } from "../../src/store/try-log.ts";
import { keepContainerResult } from "../../src/store/container-results.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, outcomeOf, taskOf } from "../support/store-bundle.ts";

const STARTED = "2026-11-21T08:00:05.000Z";

let bundle: SchedulerBundle;
let store: SchedulerBundle["store"];
let context: SchedulerBundle["context"];
let removed: string[];
let launch: SchedulerBundle["launch"];
let launchOne: SchedulerBundle["launchOne"];
let readLog: () => Promise<ContainerLog | null>;

beforeEach(async () => {
  readLog = async () => null;
  bundle = await openSchedulerBundle({ readLog: () => readLog() });
  ({ store, context, removed, launch, launchOne } = bundle);
});
afterEach(() => store.close());

function podTask(taskId: string, more: Partial<TaskDefinition> = {}): TaskDefinition {
  return taskOf(taskId, [], {
    kind: "pod",
    container: {
      image: "python:3.12-slim",
      cmds: ["python"],
      arguments: null,
      env: { STAGE: "test" },
      get_logs: true,
      skip_on_exit_codes: [99],
    },
    ...more,
  });
}

function containerOf({ work }: LaunchOrder): ResolvedContainer {
  if (work.kind !== "container") throw new Error("a worker was launched");
  return work.container;
}

const see = (order: LaunchOrder, more: Partial<Observation>) =>
  bundle.see(order, { container: { result: null }, ...more });

async function instance(taskId: string) {
  const { rows } = await store.db.query<{
    id: string;
    state: string;
    reason: string | null;
    start_date: Date | null;
    try_number: number;
    infrastructure_failures: number;
  }>({
    text: "select id, state, reason, start_date, try_number, infrastructure_failures from task_instance where task_id = $1",
    values: [taskId],
  });
  const [row] = rows;
  if (!row) throw new Error(`no task ${taskId}`);
  return row;
}

async function logOf(taskId: string, tryNumber = 1): Promise<[string, string][]> {
  const lines = await readTryLog(
    store.db,
    createPostgresObjects(store.db),
    (await instance(taskId)).id,
    tryNumber,
    LOG_START,
    100,
  );
  return lines.map(({ level, event }) => [level, event]);
}

describe("an attempt without a worker", () => {
  beforeEach(async () => {
    await store.save(dagOf("d", [podTask("a", { retries: 1, retry_delay: 60 })]));
    await store.trigger("d");
  });

  it("runs from its container's start, is not missed for want of heartbeats, and leaves a result", async () => {
    const order = await launchOne();
    expect(order.work).toEqual({
      kind: "container",
      container: {
        image: "python:3.12-slim",
        cmds: ["python"],
        arguments: null,
        env: { STAGE: "test" },
        skip_on_exit_codes: [99],
        result_file: null,
        active_deadline: null,
      },
      result_token: null,
    });
    await see(order, { waiting: { kind: "starting", reason: "it is pulling" } });
    expect(await instance("a")).toMatchObject({ state: "queued", start_date: null });
    await see(order, { container_started_at: STARTED });
    await see(order, { container_started_at: STARTED });
    expect(await instance("a")).toMatchObject({ state: "running", start_date: new Date(STARTED), reason: null });
    store.pass(86_400);
    expect(await rescueLost(context)).toEqual({ counts: { ended: 0 } });
    const result: Json = { rows: 3, text: "\0" };
    const outcome = outcomeOf("success");
    await see(order, { container_started_at: STARTED, outcome, container: { result }, process_ended: true });
    expect((await instance("a")).state).toBe("success");
    const { rows } = await store.db.query<{ value: string }>({ text: "select value::text from task_result" });
    expect(rows.map((row) => JSON.parse(row.value) as Json)).toEqual([result]);
  });

  it("is judged right when its whole life is seen at once, and then only once", async () => {
    const order = await launchOne();
    await see(order, { container_started_at: STARTED, outcome: outcomeOf("success"), container: { result: 1 } });
    await see(order, { outcome: outcomeOf("deleted"), container: { result: 2 }, gone: true });
    expect(await instance("a")).toMatchObject({ state: "success", start_date: new Date(STARTED) });
    const { rows } = await store.db.query<{ value: Json }>({ text: "select value from task_result" });
    expect(rows).toEqual([{ value: 1 }]);
  });

  it("takes the result that its helper has delivered", async () => {
    const order = await launchOne();
    await keepContainerResult(store.db, order, { rows: 5 });
    await see(order, { outcome: outcomeOf("success"), container: { result: null, from_file: true } });
    const { rows } = await store.db.query<{ value: Json }>({ text: "select value from task_result" });
    expect(rows).toEqual([{ value: { rows: 5 } }]);
    await expect(keepContainerResult(store.db, order, 1)).rejects.toMatchObject({ code: "attempt_stale" });
  });

  it("may skip, which leaves no result", async () => {
    const order = await launchOne();
    await see(order, { container_started_at: STARTED, outcome: outcomeOf("skipped"), container: { result: 1 } });
    expect(await instance("a")).toMatchObject({ state: "skipped", reason: "it ended as skipped" });
    expect((await store.db.query({ text: "select from task_result" })).rows).toEqual([]);
  });

  it("spends a retry when it fails, and none when the cluster fails it", async () => {
    const first = await launchOne();
    await see(first, { container_started_at: STARTED, outcome: outcomeOf("evicted"), process_ended: true, gone: true });
    expect(await instance("a")).toMatchObject({ state: "up_for_retry", infrastructure_failures: 1 });
    store.pass(1);
    const second = await launchOne();
    expect(second.try_number).toBe(1);
    await see(second, { outcome: outcomeOf("task_failed"), process_ended: true, gone: true });
    expect(await launch()).toEqual([]);
    store.pass(60);
    const third = await launchOne();
    expect(third.try_number).toBe(2);
    await see(third, { outcome: outcomeOf("task_failed"), process_ended: true });
    expect(await instance("a")).toMatchObject({ state: "failed", try_number: 2, infrastructure_failures: 1 });
  });

  it("is not launched again while the pod of the attempt before may still run", async () => {
    const first = await launchOne();
    await see(first, { outcome: outcomeOf("start_timeout") });
    store.pass(1);
    expect(await launch()).toEqual([]);
    const { rows } = await store.db.query({
      text: "select waiting_reason from attempt where state = 'queued'",
    });
    expect(rows).toEqual([{ waiting_reason: `The pod of the attempt before, ${first.pod_name}, is still there` }]);
    await see(first, { gone: true });
    store.pass(2);
    expect((await launchOne()).epoch).toBe(first.epoch + 1);
  });
});

it("gives a container what the run and upstream tasks have, and refuses what it cannot take", async () => {
  const inputs: TaskDefinition["inputs"] = {
    env: {
      kind: "object",
      fields: {
        RUN: { kind: "run", field: "run_id" },
        ROWS: { kind: "result", task_id: "up", path: ["rows"] },
        DATE: { kind: "run", field: "logical_date" },
      },
    },
    arguments: { kind: "result", task_id: "up", path: ["list"] },
  };
  await store.save(dagOf("d", [taskOf("up"), podTask("a", { upstream: ["up"], inputs })]));
  const run = async (list: Json) => {
    const { id, dag_run_id } = await store.trigger("d");
    const up = await launchOne();
    expect(up.work).toEqual({ kind: "worker", launch_token: "a token" });
    await store.finish(await store.start(up.attempt_id), "success", { rows: 3, list });
    return { id, dag_run_id, launched: await launch() };
  };
  const good = await run(["-v", 1]);
  const [order] = good.launched;
  if (!order) throw new Error("nothing was launched");
  expect(containerOf(order)).toMatchObject({
    env: { STAGE: "test", RUN: good.dag_run_id, ROWS: "3" },
    arguments: ["-v", "1"],
  });
  const bad = await run([{ not: "text" }]);
  expect(bad.launched).toEqual([]);
  const { rows } = await store.db.query({
    text: `select t.state, a.outcome, a.outcome_reason from task_instance t join attempt a on a.task_instance_id = t.id
      where t.run_id = $1 and t.task_id = 'a'`,
    values: [bad.id],
  });
  expect(rows).toEqual([
    {
      state: "failed",
      outcome: "launch_refused",
      outcome_reason:
        "The container cannot be made: arguments[0] is an object, but must be text, a number or a boolean",
    },
  ]);
});

describe("its log", () => {
  const end = async (task: TaskDefinition) => {
    await store.save(dagOf("d", [task]));
    await store.trigger("d");
    const order = await launchOne();
    await see(order, { container_started_at: STARTED, outcome: outcomeOf("task_failed"), process_ended: true });
    return order;
  };

  it("is kept before its pod is removed, with the reason of its end as the last line", async () => {
    const order = await end(podTask("a"));
    const lines = ["one", "two \0"].map((event) => ({ timestamp: STARTED, event }));
    readLog = async () => ({ lines, shortened: true });
    await cleanFinished(context);
    expect(removed).toEqual([order.attempt_id]);
    expect(await logOf("a")).toEqual([
      ["warning", "The log was too long to keep all of it: this is its last part"],
      ["info", "one"],
      ["info", "two \u2400"],
      ["error", "it ended as task_failed"],
    ]);
  });

  it("holds its pod back while it cannot be read, for 30 seconds, and never changes the state", async () => {
    const order = await end(podTask("a"));
    let asked = 0;
    readLog = async () => {
      asked += 1;
      throw new Error("the node does not answer");
    };
    for (let pass = 0; pass < 6; pass += 1) {
      expect(await cleanFinished(context)).toMatchObject({ counts: { asked: 1, gone: 0 }, dueInMs: 5_000 });
      store.pass(5);
    }
    expect({ asked, removed }).toEqual({ asked: 6, removed: [] });
    await cleanFinished(context);
    expect(removed).toEqual([order.attempt_id]);
    expect((await instance("a")).state).toBe("failed");
    expect(await logOf("a")).toEqual([
      ["warning", "The container's log is lost: for 30 s it could not be read (the node does not answer)"],
      ["error", "it ended as task_failed"],
    ]);
  });

  it("is the reason of its end when the container never ran", async () => {
    await end(podTask("a"));
    await cleanFinished(context);
    expect(await logOf("a")).toEqual([["error", "it ended as task_failed"]]);
  });

  it("is not read when the task does not want it, nor for workers", async () => {
    const silent = podTask("a");
    if (!silent.container) throw new Error("no container");
    silent.container.get_logs = false;
    await end(silent);
    await store.save(dagOf("e", [taskOf("b")]), "other");
    await store.trigger("e");
    const worker = await launchOne();
    await store.finish(await store.start(worker.attempt_id));
    readLog = () => Promise.reject(new Error("it was read"));
    await cleanFinished(context);
    expect(removed).toHaveLength(2);
    // But for what was seen of its end.
    expect(await logOf("a")).toEqual([["error", "it ended as task_failed"]]);
  });
});
