import { afterAll, beforeAll, expect, test } from "vitest";
import { problem } from "../contract/rest.ts";
import {
  resultAnswer,
  resultsAnswer,
  taskInstanceAnswer,
  taskInstancesAnswer,
  triesAnswer,
  tryAnswer,
} from "../contract/rest-task-instances.ts";
import {
  type ApiFixture,
  makeDag,
  openApiFixture,
  publishDag,
  queueAttempt,
  START,
  triggerRun,
} from "./api-fixture.ts";

const BASE = "/api/v2/dags/etl/dagRuns/r1/taskInstances";
const after = (seconds: number) => new Date(START.getTime() + seconds * 1000);

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  await publishDag(fixture, makeDag("etl"));
  await triggerRun(fixture, "etl", "r1");
  await triggerRun(fixture, "etl", "r2");
  const place = { dag_id: "etl", dag_run_id: "r1", task_id: "first" };
  // Try 1: its node was drained, then it threw. Try 2 waits for an image.
  const drained = await queueAttempt(fixture, { ...place, epoch: 1, try_number: 1 });
  const threw = await queueAttempt(fixture, { ...place, epoch: 2, try_number: 1 });
  const waiting = await queueAttempt(fixture, { ...place, epoch: 3, try_number: 2 });
  await fixture.db.query({
    text: `update attempt set state = 'finished', outcome = 'drained', outcome_reason = 'node n1 was drained', finished_at = $2,
      pod_name = 'p1', namespace = 'ns', launched_at = $3, pod_scheduled_at = $4 where id = $1`,
    values: [drained, after(5), after(1), after(2)],
  });
  await fixture.db.query({
    text: `update attempt set state = 'finished', outcome = 'task_failed', outcome_reason = 'Error: no', exit_code = 1, started_at = $3,
      finished_at = $2, error = '{"name": "Error", "message": "no", "stack": "Error: no\\n at etl.ts:3:1"}' where id = $1`,
    values: [threw, after(9), after(7)],
  });
  await fixture.db.query({
    text: "update attempt set waiting_kind = 'image', waiting_reason = 'image x:1 cannot be pulled', waiting_since = $2 where id = $1",
    values: [waiting, after(10)],
  });
  await fixture.db.query({
    text: `insert into task_result (task_instance_id, value, created_at)
      select i.id, '{"rows": [1, 2]}', $1 from task_instance i join dag_run r on r.id = i.run_id where dag_run_id = 'r2' and task_id = 'first'`,
    values: [START],
  });
});
afterAll(() => fixture.close());

test("a queued instance says what its pod waits for", async () => {
  expect(await fixture.get(`${BASE}/first`, taskInstanceAnswer)).toMatchObject({
    dag_run_id: "r1",
    map_index: -1,
    state: "queued",
    try_number: 2,
    reason: "image x:1 cannot be pulled",
    outcome: null,
    dag_version: { bundle_version: "hash-etl" },
  });
  expect(await fixture.get(`${BASE}/first/-1`, taskInstanceAnswer)).toMatchObject({ task_id: "first" });
});

test("a try gathers its attempts: those that fell to the cluster, and the one that decided", async () => {
  const { task_instances: tries } = await fixture.get(`${BASE}/first/tries`, triesAnswer);
  expect(
    tries.map(({ try_number, state, reason, duration, attempts }) => ({
      try_number,
      state,
      reason,
      duration,
      epochs: attempts.map((a) => a.epoch),
    })),
  ).toEqual([
    { try_number: 1, state: "failed", reason: "Error: no", duration: 2, epochs: [1, 2] },
    { try_number: 2, state: "queued", reason: "image x:1 cannot be pulled", duration: null, epochs: [3] },
  ]);
  const first = await fixture.get(`${BASE}/first/tries/1`, tryAnswer);
  expect(first.outcome).toEqual({
    kind: "task_failed",
    reason: "Error: no",
    exit_code: 1,
    error: { name: "Error", message: "no", stack: "Error: no\n at etl.ts:3:1" },
  });
  expect(first.attempts[0]).toMatchObject({
    cluster: null,
    namespace: "ns",
    pod_name: "p1",
    launched_at: after(1).toISOString(),
    pod_scheduled_at: after(2).toISOString(),
    finished_at: after(5).toISOString(),
    outcome: { kind: "drained", reason: "node n1 was drained" },
  });
  const second = await fixture.get(`${BASE}/first/-1/tries/2`, tryAnswer);
  expect(second.attempts[0]?.waiting).toEqual({
    kind: "image",
    reason: "image x:1 cannot be pulled",
    since: after(10).toISOString(),
  });
  await fixture.get(`${BASE}/first/tries/3`, problem, 404);
  expect((await fixture.get(`${BASE}/second/tries`, triesAnswer)).total_entries).toBe(0);
});

const ids = async (path: string) =>
  (await fixture.get(path, taskInstancesAnswer)).task_instances.map((i) => `${i.dag_run_id}/${i.task_id}`);

test.each([
  [BASE, ["r1/first", "r1/second"]],
  [`${BASE}?state=queued`, ["r1/first"]],
  [`${BASE}?state=no_status`, ["r1/second"]],
  [`${BASE}?state=no_status&state=queued`, ["r1/first", "r1/second"]],
  [`${BASE}?task_id=second`, ["r1/second"]],
  [`${BASE}?limit=1&offset=1`, ["r1/second"]],
  [`${BASE}?order_by=-task_id`, ["r1/second", "r1/first"]],
  ["/api/v2/dags/etl/dagRuns/~/taskInstances?task_id=first", ["r1/first", "r2/first"]],
  ["/api/v2/dags/~/dagRuns/~/taskInstances?limit=3", ["r1/first", "r1/second", "r2/first"]],
])("GET %s lists %j", async (path, expected) => {
  expect(await ids(path)).toEqual(expected);
});

test("what does not exist is 404, and says which part", async () => {
  expect((await fixture.get("/api/v2/dags/etl/dagRuns/r9/taskInstances", problem, 404)).detail).toContain('"r9"');
  expect((await fixture.get(`${BASE}/third`, problem, 404)).detail).toContain('"third"');
  expect((await fixture.get(`${BASE}/first/4`, problem, 404)).detail).toContain("map index 4");
  expect(await fixture.get(`${BASE}/first/four`, problem, 400)).toMatchObject({ errors: [{ path: "path.map_index" }] });
  expect((await fixture.get(`${BASE}/%00`, problem, 400)).code).toBe("invalid_request");
});

test("a result is found under return_value", async () => {
  const path = "/api/v2/dags/etl/dagRuns/r2/taskInstances/first/xcomEntries";
  const entry = {
    key: "return_value",
    timestamp: START.toISOString(),
    logical_date: null,
    map_index: -1,
    task_id: "first",
    dag_id: "etl",
    run_id: "r2",
  };
  expect(await fixture.get(`${path}/return_value`, resultAnswer)).toEqual({ ...entry, value: { rows: [1, 2] } });
  expect(await fixture.get(path, resultsAnswer)).toEqual({ xcom_entries: [entry], total_entries: 1 });
  expect((await fixture.get("/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries", resultsAnswer)).total_entries).toBe(
    1,
  );
  await fixture.get(`${path}/other`, problem, 404);
  await fixture.get(`${BASE}/first/xcomEntries/return_value`, problem, 404);
});
