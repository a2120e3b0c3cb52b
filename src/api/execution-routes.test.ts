import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { heartbeatAnswer, startAnswer, type StartAnswer } from "../contract/execution.ts";
import { problem } from "../contract/rest.ts";
import { logAnswer, type LogAnswer } from "../contract/rest-logs.ts";
import { resultAnswer, taskInstanceAnswer, tryAnswer } from "../contract/rest-task-instances.ts";
import type { JsonObject } from "../core/json.ts";
import {
  type ApiFixture,
  makeDag,
  makeTask,
  openApiFixture,
  publishDag,
  queueAttempt,
  triggerRun,
} from "./api-fixture.ts";

let fixture: ApiFixture;
let runs = 0;
let runId = "";
let attemptId = "";
const worker = { worker_id: randomUUID(), hostname: "pod-1", pid: 7 };

beforeAll(async () => {
  fixture = await openApiFixture();
  const tasks = [makeTask("first", { retries: 1, execution_timeout: 60 }), makeTask("second", { upstream: ["first"] })];
  await publishDag(fixture, makeDag("etl", { tasks }), "exports.dag = 1");
});
afterAll(() => fixture.close());
beforeEach(async () => {
  runId = `r${(runs += 1)}`;
  await triggerRun(fixture, "etl", runId);
  attemptId = await queueAttempt(fixture, { dag_id: "etl", dag_run_id: runId, task_id: "first" });
});

const url = (action: string, id = attemptId) => `/execution/v1/attempts/${id}/${action}`;
const instanceUrl = () => `/api/v2/dags/etl/dagRuns/${runId}/taskInstances/first`;
const send = (method: "POST" | "PUT", action: string, token: string, payload?: JsonObject) =>
  fixture.api.inject({
    method,
    url: url(action),
    headers: { authorization: `Bearer ${token}` },
    ...(payload ? { payload } : {}),
  });
const launchToken = (epoch = 1) => fixture.tokens.issueLaunchToken({ attempt_id: attemptId, epoch });

async function start(): Promise<StartAnswer> {
  const answer = await send("POST", "start", await launchToken(), worker);
  expect(answer.statusCode).toBe(200);
  return startAnswer.parse(answer.json());
}

test("start answers with code, inputs and a token; a repeat by the same worker too, another worker hears 409", async () => {
  const first = await start();
  expect(first).toMatchObject({
    heartbeat_interval: 5,
    heartbeat_timeout: 30,
    execution_timeout: 60,
    context: { dag_id: "etl", run_id: runId, task_id: "first", try_number: 1 },
    bundle: { hash: "hash-etl", code: "exports.dag = 1" },
  });
  expect((await start()).bundle).toEqual(first.bundle);
  const other = await send("POST", "start", await launchToken(), { ...worker, worker_id: randomUUID() });
  expect(problem.parse(other.json())).toMatchObject({ status: 409, code: "attempt_stale" });
  expect(await fixture.get(instanceUrl(), taskInstanceAnswer)).toMatchObject({ state: "running", hostname: "pod-1" });
});

test("each token opens what it is for, and one attempt only", async () => {
  const { token } = await start();
  const launch = await launchToken();
  const elsewhere = await fixture.tokens.issueExecutionToken({ attempt_id: randomUUID(), epoch: 1 });
  expect((await send("PUT", "heartbeat", launch)).statusCode).toBe(401);
  expect((await send("POST", "start", token, worker)).statusCode).toBe(401);
  expect((await send("PUT", "heartbeat", elsewhere)).statusCode).toBe(403);
  expect((await send("POST", "logs", `${token}x`, { lines: [] })).statusCode).toBe(401);
  expect((await fixture.api.inject({ method: "PUT", url: url("heartbeat") })).statusCode).toBe(401);
  expect((await send("PUT", "heartbeat", token)).statusCode).toBe(200);
});

test("heartbeats keep their token until half of its life is over, and pass on the wish to stop", async () => {
  const { token } = await start();
  const beat = async (with_: string) => heartbeatAnswer.parse((await send("PUT", "heartbeat", with_)).json());
  expect(await beat(token)).toEqual({ token, stop: null });
  fixture.advance(8 * 60);
  const renewed = await beat(token);
  expect(renewed.token).not.toBe(token);
  fixture.advance(8 * 60);
  expect((await send("PUT", "heartbeat", token)).statusCode).toBe(401);
  await fixture.db.query({
    text: "update attempt set stop_reason = 'marked failed' where id = $1",
    values: [attemptId],
  });
  expect((await beat(renewed.token)).stop).toBe("marked failed");
});

test("a container's memory peak comes with heartbeats and the end, and never falls", async () => {
  await fixture.db.query({ text: "update attempt set executor = 'kubernetes' where id = $1", values: [attemptId] });
  const { token, wants_memory_peak } = await start();
  expect(wants_memory_peak).toBe(true);
  const shown = async () => (await fixture.get(`${instanceUrl()}/tries/1`, tryAnswer)).attempts[0]?.memory_peak;
  expect(await shown()).toBeNull();
  const beat = async (payload?: JsonObject) => (await send("PUT", "heartbeat", token, payload)).statusCode;
  expect([await beat({ memory_peak: 5_000_000_000 }), await shown()]).toEqual([200, 5_000_000_000]);
  expect([await beat(), await shown()]).toEqual([200, 5_000_000_000]);
  expect([await beat({ memory_peak: 7, of_a_later_release: 1 }), await shown()]).toEqual([200, 5_000_000_000]);
  await send("POST", "finish", token, { state: "success", result: null, memory_peak: 6_000_000_000 });
  expect(await shown()).toBe(6_000_000_000);
});

test("a worker that shares its memory's count with others is not asked for a peak", async () => {
  expect(await start()).not.toHaveProperty("wants_memory_peak");
});

test("an end without a peak leaves that of the last heartbeat", async () => {
  const { token } = await start();
  await send("PUT", "heartbeat", token, { memory_peak: 42 });
  await send("POST", "finish", token, { state: "skipped", reason: "no" });
  expect((await fixture.get(`${instanceUrl()}/tries/1`, tryAnswer)).attempts).toMatchObject([{ memory_peak: 42 }]);
});

test("an attempt that was replaced is refused everywhere", async () => {
  const { token } = await start();
  await queueAttempt(fixture, { dag_id: "etl", dag_run_id: runId, task_id: "first", epoch: 2 });
  for (const answer of [
    await send("PUT", "heartbeat", token),
    await send("POST", "logs", token, { lines: [] }),
    await send("POST", "finish", token, { state: "success", result: 1 }),
    await send("POST", "start", await launchToken(), worker),
  ]) {
    expect(problem.parse(answer.json())).toMatchObject({ status: 409, code: "attempt_stale" });
  }
});

test("a result is kept, a repeated finish is a no-op, and heartbeats after it are stale", async () => {
  const { token } = await start();
  const finish = () => send("POST", "finish", token, { state: "success", result: { rows: [1, "two", null] } });
  expect((await finish()).statusCode).toBe(204);
  expect((await finish()).statusCode).toBe(204);
  expect((await send("PUT", "heartbeat", token)).statusCode).toBe(409);
  expect((await send("POST", "finish", token, { state: "skipped", reason: "no" })).statusCode).toBe(409);
  expect(await fixture.get(`${instanceUrl()}/xcomEntries/return_value`, resultAnswer)).toMatchObject({
    value: { rows: [1, "two", null] },
  });
  expect(await fixture.get(instanceUrl(), taskInstanceAnswer)).toMatchObject({
    state: "success",
    outcome: { kind: "success" },
  });
});

test("a result above the limit is refused, and the attempt goes on", async () => {
  const { token } = await start();
  const answer = await send("POST", "finish", token, { state: "success", result: "x".repeat(256 * 1024) });
  expect(problem.parse(answer.json())).toMatchObject({ status: 413, code: "payload_too_large" });
  expect((await send("PUT", "heartbeat", token)).statusCode).toBe(200);
});

const failed = (change: JsonObject = {}): JsonObject => ({
  state: "failed",
  kind: "task_failed",
  retryable: true,
  exit_code: 1,
  error: { name: "TypeError", message: "no\0rows\nsecond line \ud800", stack: "at x" },
  ...change,
});

test("a failure keeps the error with its mapped stack, and a retry follows", async () => {
  const { token } = await start();
  expect((await send("POST", "finish", token, failed())).statusCode).toBe(204);
  expect((await fixture.get(`${instanceUrl()}/tries/1`, tryAnswer)).outcome).toEqual({
    kind: "task_failed",
    reason: "TypeError: no␀rows",
    exit_code: 1,
    error: { name: "TypeError", message: "no␀rows\nsecond line \ufffd", stack: "hash-etl:at x" },
  });
  expect((await fixture.get(instanceUrl(), taskInstanceAnswer)).state).toBe("up_for_retry");
});

test("a failure that asks not to be retried is final", async () => {
  const { token } = await start();
  expect((await send("POST", "finish", token, failed({ retryable: false }))).statusCode).toBe(204);
  expect((await fixture.get(instanceUrl(), taskInstanceAnswer)).state).toBe("failed");
});

const line = (seq: number, event = `line ${seq}`): JsonObject => ({
  seq,
  timestamp: "2026-03-01T12:00:00.5Z",
  level: "info",
  event,
});

test("log lines are kept once, paged by token while the task runs, and read after its end", async () => {
  const { token } = await start();
  const read = (query = ""): Promise<LogAnswer> => fixture.get(`${instanceUrl()}/logs/1${query}`, logAnswer);
  expect((await send("POST", "logs", token, { lines: [line(0), line(1)] })).statusCode).toBe(204);
  expect((await send("POST", "logs", token, { lines: [line(1, "changed"), line(2, "nul \0")] })).statusCode).toBe(204);
  const page = await read();
  expect(page.content.map(({ seq, event, attempt }) => ({ seq, event, attempt }))).toEqual([
    { seq: 0, event: "line 0", attempt: 1 },
    { seq: 1, event: "line 1", attempt: 1 },
    { seq: 2, event: "nul ␀", attempt: 1 },
  ]);
  const nothingYet = await read(`?token=${page.continuation_token}`);
  expect(nothingYet).toEqual({ content: [], continuation_token: page.continuation_token });
  expect((await send("POST", "finish", token, { state: "success", result: null })).statusCode).toBe(204);
  // Its last lines may come after its end.
  expect((await send("POST", "logs", token, { lines: [line(3)] })).statusCode).toBe(204);
  expect(await read(`?token=${page.continuation_token}`)).toEqual({
    content: [{ timestamp: "2026-03-01T12:00:00.500Z", level: "info", event: "line 3", attempt: 1, seq: 3 }],
    continuation_token: null,
  });
  expect(await fixture.get(`${instanceUrl()}/logs/1?token=zzz`, problem, 400)).toMatchObject({
    detail: expect.stringContaining("token"),
  });
  await fixture.get(`${instanceUrl()}/logs/2`, problem, 404);
});

test("a log of several pages and attempts is one stream of NDJSON in order", async () => {
  const { token } = await start();
  await send("POST", "logs", token, { lines: Array.from({ length: 2500 }, (_, seq) => line(seq)) });
  attemptId = await queueAttempt(fixture, {
    dag_id: "etl",
    dag_run_id: runId,
    task_id: "first",
    epoch: 2,
    try_number: 1,
  });
  const second = await send("POST", "start", await launchToken(2), { ...worker, worker_id: randomUUID() });
  await send("POST", "logs", startAnswer.parse(second.json()).token, { lines: [line(0, "second attempt")] });
  const answer = await fixture.api.inject({
    method: "GET",
    url: `${instanceUrl()}/logs/1`,
    headers: { accept: "application/x-ndjson" },
  });
  expect(answer.headers["content-type"]).toContain("application/x-ndjson");
  const lines = answer.body
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(lines.map((one) => one.seq)).toEqual([...Array.from({ length: 2500 }, (_, seq) => seq), 0]);
  expect(lines.at(-1)).toMatchObject({ attempt: 2, event: "second attempt" });
  // The same lines in pages: 1000, 1000, 501.
  const sizes: number[] = [];
  for (let query = ""; ;) {
    const page = await fixture.get(`${instanceUrl()}/logs/1${query}`, logAnswer);
    sizes.push(page.content.length);
    if (page.content.length < 1000) break;
    query = `?token=${page.continuation_token}`;
  }
  expect(sizes).toEqual([1000, 1000, 501]);
  expect((await fixture.get(`${instanceUrl()}/logs/1?full_content=true`, logAnswer)).content).toHaveLength(2501);
});

test("start with a bundle of 500 kB is quick", async () => {
  await publishDag(fixture, makeDag("large"), `"${'\\"x\n'.repeat(125_000)}"`);
  const times: number[] = [];
  for (let index = 0; index < 21; index += 1) {
    await triggerRun(fixture, "large", `r${index}`);
    attemptId = await queueAttempt(fixture, { dag_id: "large", dag_run_id: `r${index}`, task_id: "first" });
    const token = await launchToken();
    const began = performance.now();
    const answer = await send("POST", "start", token, worker);
    times.push(performance.now() - began);
    expect(answer.statusCode).toBe(200);
  }
  const median = times.toSorted((a, b) => a - b)[10] ?? Infinity;
  // 5 ms on an idle machine; the bound leaves room for a busy one.
  expect(median).toBeLessThan(60);
});

test("a container's result is taken until its attempt ends, by the token that is for it alone", async () => {
  const token = await fixture.tokens.issueResultToken({ attempt_id: attemptId, epoch: 1 });
  expect((await send("POST", "result", await launchToken(), { result: 1 })).statusCode).toBe(401);
  expect((await send("POST", "start", token, worker)).statusCode).toBe(401);
  expect((await send("PUT", "heartbeat", token)).statusCode).toBe(401);
  const large = await send("POST", "result", token, { result: "x".repeat(300_000) });
  expect(large.statusCode).toBe(413);
  expect((await send("POST", "result", token, { result: { rows: 3 } })).statusCode).toBe(204);
  expect((await send("POST", "result", token, { result: { rows: 4 } })).statusCode).toBe(204);
  const { token: execution } = await start();
  expect((await send("POST", "result", execution, { result: 1 })).statusCode).toBe(401);
  await send("POST", "finish", execution, { state: "skipped", reason: "nothing to do" });
  expect((await send("POST", "result", token, { result: 5 })).statusCode).toBe(409);
});
