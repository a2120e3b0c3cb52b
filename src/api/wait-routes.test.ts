import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problem } from "../contract/rest.ts";
import { explanationAnswer } from "../contract/rest-explain.ts";
import { taskInstanceAnswer } from "../contract/rest-task-instances.ts";
import { earlyEventAnswer, hitlDetailAnswer, hitlDetailsAnswer } from "../contract/rest-waits.ts";
import type { Operator } from "../core/operator.ts";
import { podName } from "../core/pod-name.ts";
import { recordProcess } from "../store/processes.ts";
import { startQueuedRuns } from "../store/run-start.ts";
import { queueReadyTasks } from "../store/task-queue.ts";
import { type ApiFixture, makeDag, makeTask, openApiFixture, publishDag, triggerRun } from "./api-fixture.ts";

const LIMITS = { timeout: null, soft_fail: false };
const SCHEMA = {
  type: "object",
  properties: { id: { type: "string" } },
  required: ["id"],
  additionalProperties: false,
};
const ask: Operator = {
  type: "approval",
  subject: "Ship it?",
  options: ["ship", "hold"],
  rejects: ["hold"],
  default: null,
  ...LIMITS,
};

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  const tasks = [
    makeTask("order", { kind: "wait", operator: { type: "event", schema: SCHEMA, ...LIMITS } }),
    makeTask("any", { kind: "wait", operator: { type: "event", schema: null, ...LIMITS } }),
    makeTask("ask", { kind: "wait", operator: ask }),
    makeTask("again", { kind: "wait", operator: ask }),
    makeTask("later", { kind: "wait", operator: ask, upstream: ["order"] }),
    makeTask("paid", { kind: "wait", operator: { type: "event", schema: SCHEMA, ...LIMITS }, upstream: ["ask"] }),
    makeTask("plain"),
  ];
  await publishDag(fixture, makeDag("shop", { tasks }));
  await triggerRun(fixture, "shop", "r1");
  await begin();
});
afterAll(() => fixture.close());

/** Starts what is queued: its waits begin. */
async function begin(): Promise<void> {
  const { versions } = fixture.options.rules;
  await startQueuedRuns(fixture.db, versions, fixture.now(), 10);
  const placement = { newId: randomUUID, podName, place: () => ({ executor: "local" as const, namespace: null }) };
  await queueReadyTasks(fixture.db, versions, placement, { parallelism: 10, batch: 100 }, fixture.now());
}

const BASE = "/api/v2/dags/shop/dagRuns/r1/taskInstances";
const post = (task: string, payload: object, status: number) =>
  fixture.call(
    { method: "POST", url: `${BASE}/${task}/event`, payload: { payload: { ...payload } } },
    status === 200 ? taskInstanceAnswer : problem,
    status,
  );
const answer = (task: string, chosen: string[], status: number) =>
  fixture.call(
    { method: "PATCH", url: `${BASE}/${task}/-1/hitlDetails`, payload: { chosen_options: chosen, note: "by hand" } },
    status === 200 ? hitlDetailAnswer : problem,
    status,
  );

test("an event that fits is the task's result, once", async () => {
  expect(await post("order", { id: 3 }, 400)).toMatchObject({
    code: "invalid_request",
    errors: [{ path: "payload.id", message: "must be string" }],
  });
  expect(await post("order", { id: "a" }, 200)).toMatchObject({ state: "success", reason: "its event was delivered" });
  const { rows } = await fixture.db.query({
    text: "select value from task_result r join task_instance t on t.id = r.task_instance_id where task_id = 'order'",
  });
  expect(rows).toEqual([{ value: { id: "a" } }]);
  expect(await post("order", { id: "b" }, 409)).toMatchObject({
    code: "not_waiting",
    detail: 'task "order" is success, so it takes no answer now',
  });
  expect(await post("any", { whatever: [1] }, 200)).toMatchObject({ state: "success" });
});

test("an event that comes early is kept, and shown until it is waited for", async () => {
  await fixture.get(`${BASE}/paid/event`, problem, 404);
  await post("paid", { id: 3 }, 400);
  const url = `${BASE}/paid/event`;
  const kept = await fixture.call({ method: "POST", url, payload: { payload: { id: "p" } } }, taskInstanceAnswer, 202);
  expect(kept).toMatchObject({ task_id: "paid", state: null });
  expect(await post("paid", { id: "q" }, 409)).toMatchObject({ code: "already_exists" });
  const delivered_at = fixture.now().toISOString();
  expect(await fixture.get(url, earlyEventAnswer)).toEqual({ payload: { id: "p" }, delivered_at });
  const { sentence } = await fixture.get(`${BASE}/paid/explain`, explanationAnswer);
  expect(sentence).toMatch(/; its event came at \S+ and is kept\.$/);
});

test("what does not wait, or is not there, takes none", async () => {
  expect(await post("plain", {}, 409)).toMatchObject({ detail: expect.stringContaining("never waits for an event") });
  expect(await post("ask", {}, 409)).toMatchObject({ code: "not_waiting" });
  expect(await post("gone", {}, 404)).toMatchObject({ code: "not_found" });
  expect(await answer("later", ["ship"], 409)).toMatchObject({ detail: expect.stringContaining("is not reached yet") });
});

test("a person's answer is kept with what was asked", async () => {
  const list = await fixture.get("/api/v2/dags/~/dagRuns/~/hitlDetails", hitlDetailsAnswer);
  expect(list.hitl_details.map(({ task_id }) => task_id).toSorted()).toEqual(["again", "ask"]);
  expect(await fixture.get(`${BASE}/ask/-1/hitlDetails`, hitlDetailAnswer)).toMatchObject({
    subject: "Ship it?",
    options: ["ship", "hold"],
    response_received: false,
    chosen_options: [],
  });
  expect(await answer("ask", ["sell"], 400)).toMatchObject({ detail: expect.stringContaining('choose one of "ship"') });
  expect(await answer("ask", ["ship"], 200)).toMatchObject({
    response_received: true,
    chosen_options: ["ship"],
    responded_at: fixture.now().toISOString(),
    note: "by hand",
  });
  expect(await answer("ask", ["hold"], 409)).toMatchObject({ code: "not_waiting" });
  expect(await answer("again", ["hold"], 200)).toMatchObject({ chosen_options: ["hold"] });
  expect(await fixture.get(`${BASE}/again`, taskInstanceAnswer)).toMatchObject({
    state: "skipped",
    reason: 'answered "hold" (by hand)',
  });
  expect((await fixture.get("/api/v2/dags/shop/dagRuns/~/hitlDetails", hitlDetailsAnswer)).total_entries).toBe(0);
});

test("two answers at once: one counts", async () => {
  await triggerRun(fixture, "shop", "r2");
  await begin();
  const url = "/api/v2/dags/shop/dagRuns/r2/taskInstances/ask/-1/hitlDetails";
  const send = (option: string) =>
    fixture.api
      .inject({ method: "PATCH", url, payload: { chosen_options: [option] } })
      .then(({ statusCode }) => statusCode);
  expect((await Promise.all(["ship", "hold", "ship", "hold"].map(send))).toSorted((a, b) => a - b)).toEqual([
    200, 409, 409, 409,
  ]);
});

test("a wait is explained", async () => {
  await triggerRun(fixture, "shop", "r3");
  await begin();
  await recordProcess(fixture.db, { id: "s", kind: "scheduler", hostname: "h" }, fixture.now());
  const url = "/api/v2/dags/shop/dagRuns/r3/taskInstances/ask/explain";
  expect(await fixture.get(url, explanationAnswer)).toMatchObject({
    cause: "deferred",
    sentence: 'Task "ask" is about to be looked at; it holds no pod meanwhile.',
  });
});
