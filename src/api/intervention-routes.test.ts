import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { z } from "zod";
import { problem } from "../contract/rest.ts";
import { dagRunAnswer } from "../contract/rest-dag-runs.ts";
import { versionDetailsAnswer, versionsAnswer } from "../contract/rest-dag-versions.ts";
import { eventAnswer, eventsAnswer } from "../contract/rest-event-logs.ts";
import { explanationAnswer } from "../contract/rest-explain.ts";
import { changesAnswer, rerunAnswer } from "../contract/rest-interventions.ts";
import { tokenAnswer } from "../contract/rest-installation.ts";
import { resultAnswer, taskInstanceAnswer } from "../contract/rest-task-instances.ts";
import type { JsonObject } from "../core/json.ts";
import { advanceNextRun } from "../store/run-advance.ts";
import { startQueuedRuns } from "../store/run-start.ts";
import { digestPassword } from "./authentication.ts";
import { type ApiFixture, makeDag, makeTask, openApiFixture, PASSWORD, publishDag, triggerRun } from "./api-fixture.ts";

let fixture: ApiFixture;
let headers: Record<string, string>;
beforeAll(async () => {
  fixture = await openApiFixture({ access: { kind: "password", digest: digestPassword(PASSWORD) } });
  const payload = { username: "admin", password: PASSWORD };
  const { access_token } = await fixture.call({ method: "POST", url: "/auth/token", payload }, tokenAnswer, 201);
  headers = { authorization: `Bearer ${access_token}` };
  await publishDag(
    fixture,
    makeDag("etl", {
      params_schema: {
        type: "object",
        properties: { day: { type: "string", default: "mon" } },
        additionalProperties: false,
      },
      tasks: [
        makeTask("first"),
        makeTask("second", { upstream: ["first"] }),
        makeTask("third", { upstream: ["second"] }),
      ],
    }),
  );
});
afterAll(() => fixture.close());

let runId: string;
let count = 0;
let base: string;
/** first has succeeded with a result, second has failed, third never ran; the run has ended. */
beforeEach(async () => {
  runId = `r${(count += 1)}`;
  base = `/api/v2/dags/etl/dagRuns/${runId}`;
  await triggerRun(fixture, "etl", runId);
  const states = { first: "success", second: "failed", third: "upstream_failed" };
  await fixture.db.query({
    text: `update task_instance i set state = s.state, try_number = 1, counted = true, end_date = $4
      from dag_run r, unnest($2::text[], $3::text[]) as s (task_id, state)
      where r.id = i.run_id and r.dag_run_id = $1 and i.task_id = s.task_id`,
    values: [runId, Object.keys(states), Object.values(states), fixture.now()],
  });
  await fixture.db.query({
    text: "update dag_run set state = 'failed', start_date = $2, end_date = $2, unfinished = 0 where dag_run_id = $1",
    values: [runId, fixture.now()],
  });
  await fixture.db.query({
    text: `insert into task_result (task_instance_id, value, created_at) select i.id, '[1]', $2
      from task_instance i join dag_run r on r.id = i.run_id where r.dag_run_id = $1 and i.task_id = 'first'`,
    values: [runId, fixture.now()],
  });
});

type Method = "GET" | "POST" | "PATCH" | "DELETE";
const send = <Schema extends z.ZodType>(
  method: Method,
  url: string,
  payload: JsonObject | null,
  schema: Schema,
  status = 200,
) => fixture.call({ method, url, headers, ...(payload ? { payload } : {}) }, schema, status);
const get = <Schema extends z.ZodType>(url: string, schema: Schema, status = 200) =>
  send("GET", url, null, schema, status);
const clear = (payload: JsonObject) =>
  send("POST", "/api/v2/dags/etl/clearTaskInstances", { dag_run_id: runId, ...payload }, changesAnswer);
const moved = (answer: z.output<typeof changesAnswer>) =>
  answer.task_instances.map((one) => `${one.task_id}: ${one.state ?? "none"} → ${one.new_state ?? "none"}`);
const stateOf = async (taskId: string) => (await get(`${base}/taskInstances/${taskId}`, taskInstanceAnswer)).state;

describe("clearing", () => {
  it("is a preview unless it is said otherwise, and does what the preview said", async () => {
    const request = { task_ids: ["second"], include_downstream: true };
    const preview = await clear(request);
    expect(moved(preview)).toEqual(["second: failed → none", "third: upstream_failed → none"]);
    expect(preview.dag_runs).toMatchObject([{ dag_run_id: runId, state: "failed", new_state: "queued" }]);
    expect(await stateOf("second")).toBe("failed");
    expect(await clear({ ...request, dry_run: false })).toEqual({ ...preview, dry_run: false });
    expect(await stateOf("second")).toBeNull();
    expect(await get(base, dagRunAnswer)).toMatchObject({
      state: "queued",
      end_date: null,
      reason: "cleared by admin",
    });
  });

  it("takes what failed alone, as Airflow does, unless it is said otherwise", async () => {
    expect(moved(await clear({}))).toEqual(["second: failed → none", "third: upstream_failed → none"]);
    expect(moved(await clear({ only_failed: false, task_ids: [["first", -1]] }))).toEqual(["first: success → none"]);
    expect(moved(await clear({ only_running: true, only_failed: false }))).toEqual([]);
  });

  it("of a whole run clears all of it", async () => {
    expect((await send("POST", `${base}/clear`, { dry_run: false }, changesAnswer)).total_entries).toBe(3);
    await get(`${base}/taskInstances/first/xcomEntries/return_value`, problem, 404);
    await send("PATCH", base, { state: "success" }, dagRunAnswer);
    expect(await send("PATCH", base, { state: "queued" }, dagRunAnswer)).toMatchObject({ state: "queued" });
  });

  it("can move the run to the newest version", async () => {
    const dag = makeDag("moving");
    await publishDag(fixture, dag);
    await triggerRun(fixture, "moving", "m1");
    await publishDag(fixture, { ...dag, tasks: [...dag.tasks, makeTask("added")] }, "exports.x = 2");
    const url = "/api/v2/dags/moving/dagRuns/m1/clear";
    const answer = await send("POST", url, { dry_run: false, run_on_latest_version: true }, changesAnswer);
    expect(answer.dag_runs).toMatchObject([{ moves_version: true, added_tasks: ["added"] }]);
    const run = await get("/api/v2/dags/moving/dagRuns/m1", dagRunAnswer);
    expect(run.dag_versions.map(({ version_number }) => version_number)).toEqual([2]);
    await get("/api/v2/dags/moving/dagRuns/m1/taskInstances/added", taskInstanceAnswer);
  });
});

describe("marking", () => {
  it("shows the same as it does, with all that follows", async () => {
    const url = `${base}/taskInstances/second`;
    const preview = await send("PATCH", `${url}/dry_run`, { new_state: "success" }, changesAnswer);
    expect(moved(preview)).toEqual(["second: failed → success", "third: upstream_failed → none"]);
    expect(await send("PATCH", url, { new_state: "success" }, changesAnswer)).toEqual({ ...preview, dry_run: false });
    expect(await get(url, taskInstanceAnswer)).toMatchObject({ state: "success", reason: "marked success by admin" });
    const { sentence } = await get(`${url}/explain`, explanationAnswer);
    expect(sentence).toContain("counts as success: marked success by admin");
    await startQueuedRuns(fixture.db, fixture.options.rules.versions, fixture.now(), 10);
    while (await advanceNextRun(fixture.db, fixture.options.rules.versions, fixture.now()));
    expect(await stateOf("third")).toBe("scheduled");
    expect(moved(await send("POST", `${base}/taskInstances/third/cancel`, {}, changesAnswer))).toEqual([
      "third: scheduled → failed",
    ]);
    expect(await get(base, dagRunAnswer)).toMatchObject({ state: "failed", reason: "failed because of third" });
  });

  it("of a mapped task's one instance names it by its index", async () => {
    const body = { new_state: "skipped", include_downstream: true };
    const answer = await send("PATCH", `${base}/taskInstances/second/-1`, body, changesAnswer);
    expect(moved(answer)).toEqual(["second: failed → skipped", "third: upstream_failed → skipped"]);
    await send("PATCH", `${base}/taskInstances/second/7`, body, problem, 404);
    await send("PATCH", `${base}/taskInstances/second/7/dry_run`, body, problem, 404);
  });

  it("of a run says how it ended, and its note", async () => {
    const answer = await send("PATCH", base, { state: "success", note: "looked at it" }, dagRunAnswer);
    expect(answer).toMatchObject({ state: "success", note: "looked at it", reason: "marked success by admin" });
    expect(await stateOf("third")).toBe("success");
  });
});

describe("what the state does not allow", () => {
  it("is refused with the state and what is possible", async () => {
    const refusal = await send("POST", `${base}/cancel`, {}, problem, 409);
    expect(refusal).toMatchObject({
      code: "action_not_allowed",
      detail: `run "${runId}" is failed, so cancel is not possible; possible actions are clear, mark_success, rerun, delete`,
    });
    const task = await send("PATCH", `${base}/taskInstances/first`, { new_state: "success" }, problem, 409);
    expect(task.detail).toBe(
      'task instance "first" is success, so mark_success is not possible; possible actions are clear, mark_failed, mark_skipped',
    );
    expect((await get(base, dagRunAnswer)).allowed_actions).toEqual(["clear", "mark_success", "rerun", "delete"]);
    expect((await get(`${base}/taskInstances/first`, taskInstanceAnswer)).allowed_actions).toEqual([
      "clear",
      "mark_failed",
      "mark_skipped",
    ]);
  });

  it.each<[Method, string, JsonObject | null, number]>([
    ["POST", "/api/v2/dags/etl/dagRuns/none/cancel", {}, 404],
    ["PATCH", "/api/v2/dags/etl/dagRuns/none", { state: "failed" }, 404],
    ["POST", "/api/v2/dags/etl/clearTaskInstances", { dag_run_id: "none" }, 404],
    ["POST", "/api/v2/dags/etl/clearTaskInstances", { dag_run_id: "r1", task_ids: ["zzz"] }, 404],
    ["POST", "/api/v2/dags/etl/clearTaskInstances", { dag_run_id: "r1", whatever: 1 }, 400],
    ["PATCH", "/api/v2/dags/etl/dagRuns/r1/taskInstances/first", { new_state: "removed" }, 400],
    ["DELETE", "/api/v2/dags/etl/dagRuns/none", null, 404],
  ])("%s %s %j is %i", async (method, url, payload, status) => {
    expect(await send(method, url, payload, problem, status)).toMatchObject({ status });
  });
});

test("a run is deleted once it has ended", async () => {
  await send("POST", `${base}/clear`, { dry_run: false }, changesAnswer);
  expect((await send("DELETE", base, null, problem, 409)).detail).toContain("is queued, so delete is not possible");
  await send("POST", `${base}/cancel`, {}, changesAnswer);
  expect((await fixture.api.inject({ method: "DELETE", url: base, headers })).statusCode).toBe(204);
  await get(base, problem, 404);
  const { event_logs } = await get(`/api/v2/eventLogs?run_id=${runId}&event=delete_dag_run`, eventsAnswer);
  expect(event_logs).toMatchObject([{ owner: "admin" }]);
});

describe("running again from a task", () => {
  it("makes a new run that takes over what lies above, with other params and results", async () => {
    const request = {
      task_ids: ["second"],
      conf: { day: "tue" },
      results: { first: [2] },
      new_dag_run_id: `${runId}-again`,
    };
    const preview = await send("POST", `${base}/rerun`, { ...request, dry_run: true }, rerunAnswer);
    expect(preview).toMatchObject({
      dag_run: null,
      taken_over: [{ task_id: "first", state: "success" }],
      executed: ["second", "third"],
    });
    const made = await send("POST", `${base}/rerun`, request, rerunAnswer);
    expect(made).toMatchObject({
      ...preview,
      dag_run: { params: { day: "tue" }, state: "queued", dag_run_id: `${runId}-again` },
    });
    const again = `/api/v2/dags/etl/dagRuns/${runId}-again/taskInstances`;
    expect(await get(`${again}/first/xcomEntries/return_value`, resultAnswer)).toMatchObject({ value: [2] });
    expect(await get(`${again}/first`, taskInstanceAnswer)).toMatchObject({
      state: "success",
      reason: `taken over from run ${runId} by admin`,
    });
    await startQueuedRuns(fixture.db, fixture.options.rules.versions, fixture.now(), 100);
    while (await advanceNextRun(fixture.db, fixture.options.rules.versions, fixture.now()));
    expect((await get(`${again}/second`, taskInstanceAnswer)).state).toBe("scheduled");
    // The old run is what it was.
    expect((await get(base, dagRunAnswer)).state).toBe("failed");
  });

  it.each([
    [{ task_ids: ["second"], conf: { day: 5 } }, 400, "invalid_params"],
    [{ task_ids: ["zzz"] }, 404, "not_found"],
    [{ task_ids: ["second"], results: { second: 1 } }, 400, "invalid_request"],
    [{ task_ids: ["second"], new_dag_run_id: "r1" }, 409, "already_exists"],
    [{ task_ids: [] }, 400, "invalid_request"],
  ])("refuses %j", async (request, status, code) => {
    expect(await send("POST", `${base}/rerun`, request, problem, status)).toMatchObject({ code });
  });
});

test("who did what when is kept", async () => {
  await clear({ dry_run: false, task_ids: ["second"] });
  await clear({ dry_run: true });
  await send("PATCH", "/api/v2/dags/etl", { is_paused: true }, z.object({}));
  await send("PATCH", "/api/v2/dags/etl", { is_paused: false }, z.object({}));
  const { event_logs } = await get(`/api/v2/eventLogs?run_id=${runId}`, eventsAnswer);
  expect(event_logs.map(({ event, task_id, try_number, owner }) => [event, task_id, try_number, owner])).toEqual([
    ["clear_task_instances", "second", 1, "admin"],
    ["trigger_dag_run", null, null, null],
  ]);
  const [cleared] = event_logs;
  expect(JSON.parse(cleared?.extra ?? "")).toMatchObject({
    changed: [{ task_id: "second", map_index: -1, from: "failed", to: null }],
  });
  expect(await get(`/api/v2/eventLogs/${cleared?.event_log_id}`, eventAnswer)).toEqual(cleared);
  const paused = await get("/api/v2/eventLogs?dag_id=etl&owner=admin&order_by=-when&limit=2", eventsAnswer);
  expect(paused.event_logs.map(({ event }) => event).toSorted()).toEqual(["pause_dag", "unpause_dag"]);
  await get("/api/v2/eventLogs/999999", problem, 404);
});

test("versions are listed with what each one changed", async () => {
  const dag = makeDag("versioned");
  await publishDag(fixture, dag);
  const [first] = dag.tasks;
  await publishDag(
    fixture,
    { ...dag, tasks: [{ ...(first ?? makeTask("first")), retries: 2 }, makeTask("added")] },
    "exports.x = 2",
  );
  const { dag_versions } = await get("/api/v2/dags/versioned/dagVersions", versionsAnswer);
  expect(dag_versions.map(({ version_number }) => version_number)).toEqual([2, 1]);
  expect(await get("/api/v2/dags/versioned/dagVersions/2", versionDetailsAnswer)).toMatchObject({
    definition: { dag_id: "versioned" },
    changes: {
      tasks_added: ["added"],
      tasks_removed: ["second"],
      tasks_changed: [{ task_id: "first", fields: [{ field: "retries", from: 0, to: 2 }] }],
    },
  });
  expect((await get("/api/v2/dags/versioned/dagVersions/1", versionDetailsAnswer)).changes).toBeNull();
  await get("/api/v2/dags/versioned/dagVersions/3", problem, 404);
  await get("/api/v2/dags/none/dagVersions", problem, 404);
});
