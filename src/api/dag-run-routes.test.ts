import { afterAll, beforeAll, expect, test } from "vitest";
import { dagRunAnswer, dagRunsAnswer } from "../contract/rest-dag-runs.ts";
import { problem } from "../contract/rest.ts";
import type { JsonObject } from "../core/json.ts";
import { removeDagFile } from "../store/dag-files.ts";
import { type ApiFixture, makeDag, openApiFixture, publishDag, START, triggerRun } from "./api-fixture.ts";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  await publishDag(fixture, makeDag("plain"));
  await publishDag(
    fixture,
    makeDag("with_params", {
      params_schema: {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: { day: { type: "string", format: "date" }, rows: { type: "integer", default: 10 } },
        required: ["day", "rows"],
        additionalProperties: false,
      },
    }),
  );
  await publishDag(fixture, makeDag("stale"));
  await removeDagFile(fixture.db, "stale.ts");
  await publishDag(fixture, makeDag("listed"));
  await triggerRun(fixture, "listed", "one", "2026-01-01T00:00:00Z");
  await triggerRun(fixture, "listed", "two", "2026-01-02T00:00:00Z");
  await triggerRun(fixture, "listed", "three", "2026-01-03T00:00:00Z");
  await fixture.db.query({
    text: "update dag_run set state = 'success', start_date = $1, end_date = $2 where dag_run_id = 'one'",
    values: [START, new Date(START.getTime() + 1500)],
  });
});
afterAll(() => fixture.close());

const trigger = (dagId: string, payload: JsonObject) => ({
  method: "POST" as const,
  url: `/api/v2/dags/${dagId}/dagRuns`,
  payload,
});

test("a trigger makes a run with the schema's defaults, and keeps conf as given", async () => {
  const run = await fixture.call(
    trigger("with_params", {
      dag_run_id: "mine+1",
      conf: { day: "2026-02-28" },
      note: "by hand",
      logical_date: "2026-02-28T01:00:00+01:00",
    }),
    dagRunAnswer,
    200,
  );
  expect(run).toMatchObject({
    dag_run_id: "mine+1",
    run_type: "manual",
    state: "queued",
    conf: { day: "2026-02-28" },
    params: { day: "2026-02-28", rows: 10 },
    note: "by hand",
    triggered_by: "rest_api",
    logical_date: "2026-02-28T00:00:00.000Z",
    dag_versions: [{ version_number: 1, bundle_version: "hash-with_params" }],
  });
  expect(await fixture.get("/api/v2/dags/with_params/dagRuns/mine+1", dagRunAnswer)).toEqual(run);
});

test("an empty trigger is enough where there are no params", async () => {
  const run = await fixture.call(trigger("plain", {}), dagRunAnswer, 200);
  expect(run.dag_run_id).toBe(`manual__${START.toISOString()}`);
  const again = await fixture.call(trigger("plain", { dag_run_id: run.dag_run_id }), problem, 409);
  expect(again).toMatchObject({ code: "already_exists", detail: expect.stringContaining(run.dag_run_id) });
});

test.each([
  ["with_params", {}, 400, "invalid_params", "conf.day"],
  ["with_params", { day: "soon" }, 400, "invalid_params", "conf.day"],
  ["with_params", { day: "2026-01-01", rows: "7" }, 400, "invalid_params", "conf.rows"],
  ["with_params", { day: "2026-01-01", row: 7 }, 400, "invalid_params", "conf.row"],
  ["plain", { day: "2026-01-01" }, 400, "invalid_params", "conf.day"],
  ["plain", { text: "a\0b" }, 400, "invalid_params", null],
  ["plain", { text: "\ud800" }, 400, "invalid_params", null],
  ["stale", {}, 409, "dag_stale", null],
  ["none", {}, 404, "not_found", null],
])("conf of %s %j is refused", async (dagId, conf, status, code, path) => {
  const answer = await fixture.call(trigger(dagId, { conf }), problem, status);
  expect(answer.code).toBe(code);
  expect(answer.errors.map((error) => error.path)).toEqual(path === null ? [] : [path]);
});

test.each([
  { dag_run_id: "a/b" },
  { dag_run_id: "~" },
  { dag_run_id: ".." },
  { logical_date: "yesterday" },
  { confs: {} },
])("body %j is refused", async (body) => {
  const answer = await fixture.call(trigger("plain", body), problem, 400);
  expect(answer).toMatchObject({ code: "invalid_request", errors: [{ path: `body.${Object.keys(body)[0]}` }] });
});

const ids = async (path: string) => (await fixture.get(path, dagRunsAnswer)).dag_runs.map((run) => run.dag_run_id);

test.each([
  ["", ["one", "two", "three"]],
  ["?state=success", ["one"]],
  ["?state=success&state=queued", ["one", "two", "three"]],
  ["?run_type=scheduled", []],
  ["?run_after_gte=2026-01-02T00:00:00Z", ["two", "three"]],
  ["?run_after_gt=2026-01-02T00:00:00Z", ["three"]],
  ["?run_after_lt=2026-01-03T00:00:00Z&run_after_gt=2026-01-01T00:00:00Z", ["two"]],
  ["?run_id_pattern=th", ["three"]],
  ["?order_by=-run_after&limit=1", ["three"]],
  ["?order_by=dag_run_id", ["one", "three", "two"]],
  ["?order_by=-duration&limit=1", ["one"]],
])("GET dagRuns%s lists %j", async (query, expected) => {
  expect(await ids(`/api/v2/dags/listed/dagRuns${query}`)).toEqual(expected);
});

test("~ lists every DAG's runs", async () => {
  const all = await fixture.get("/api/v2/dags/~/dagRuns?limit=1", dagRunsAnswer);
  const { rows } = await fixture.db.query<{ count: number }>({ text: "select count(*) from dag_run" });
  expect(all.total_entries).toBe(rows[0]?.count);
  expect(all.total_entries).toBeGreaterThan(3);
});

test("a run that ended has a duration in seconds", async () => {
  expect(await fixture.get("/api/v2/dags/listed/dagRuns/one", dagRunAnswer)).toMatchObject({
    state: "success",
    duration: 1.5,
  });
  expect((await fixture.get("/api/v2/dags/listed/dagRuns/four", problem, 404)).detail).toContain('"four"');
});
