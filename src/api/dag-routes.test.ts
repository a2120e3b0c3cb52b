import { afterAll, beforeAll, expect, test } from "vitest";
import { dagAnswer, dagDetailsAnswer, dagsAnswer, dagSourceAnswer, tasksAnswer } from "../contract/rest-dags.ts";
import { dagRunAnswer } from "../contract/rest-dag-runs.ts";
import { problem } from "../contract/rest.ts";
import { removeDagFile, saveDagFile } from "../store/dag-files.ts";
import { type ApiFixture, makeDag, makeTask, openApiFixture, publishDag, triggerRun } from "./api-fixture.ts";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  await publishDag(fixture, makeDag("alpha", { tags: ["red", "blue"], description: "first of all" }));
  await publishDag(fixture, makeDag("beta", { tags: ["red"], is_paused_upon_creation: true }));
  await publishDag(
    fixture,
    makeDag("gamma", {
      schedule: { kind: "cron", expression: "0 6 * * *", timezone: "Europe/Paris" },
      params_schema: { type: "object", properties: { day: { type: "string" } } },
      tasks: [
        makeTask("load"),
        makeTask("sum", {
          upstream: ["load"],
          retries: 2,
          inputs: { x: { kind: "result", task_id: "load", path: [] } },
        }),
        makeTask("each", { map: { over: [{ name: "n", array: { kind: "value", value: [1, 2] } }] } }),
      ],
    }),
  );
  await publishDag(fixture, makeDag("gone"));
  await removeDagFile(fixture.db, "gone.ts");
});
afterAll(() => fixture.close());

const list = async (query: string) => {
  const answer = await fixture.get(`/api/v2/dags${query}`, dagsAnswer);
  return { ids: answer.dags.map((dag) => dag.dag_id), total: answer.total_entries };
};

test.each([
  ["", ["alpha", "beta", "gamma"]],
  ["?exclude_stale=false", ["alpha", "beta", "gamma", "gone"]],
  ["?paused=true", ["beta"]],
  ["?paused=false", ["alpha", "gamma"]],
  ["?tags=red", ["alpha", "beta"]],
  ["?tags=red&tags=blue&tags_match_mode=all", ["alpha"]],
  ["?tags=blue&tags=green", ["alpha"]],
  ["?dag_id_pattern=ALPH|mm", ["alpha", "gamma"]],
  ["?order_by=-dag_id", ["gamma", "beta", "alpha"]],
  ["?order_by=-is_paused&order_by=-dag_id", ["beta", "gamma", "alpha"]],
])("GET /dags%s lists %j", async (query, expected) => {
  expect(await list(query)).toEqual({ ids: expected, total: expected.length });
});

test.each([
  ["?limit=2", ["alpha", "beta"]],
  ["?limit=2&offset=2", ["gamma"]],
  ["?limit=0", []],
  ["?offset=7", []],
])("pages %s keep the total", async (query, expected) => {
  expect(await list(query)).toEqual({ ids: expected, total: 3 });
});

test.each([
  ["?pasued=true", "query.pasued", "no such parameter"],
  ["?limit=1001", "query.limit", "1000"],
  ["?limit=1&limit=2", "query.limit", "number"],
  ["?order_by=owner", "query.order_by.0", "dag_id"],
  ["?paused=yes", "query.paused", "true"],
])("GET /dags%s is refused by name", async (query, path, message) => {
  const answer = await fixture.get(`/api/v2/dags${query}`, problem, 400);
  expect(answer.code).toBe("invalid_request");
  expect(answer.errors).toEqual([{ path, message: expect.stringContaining(message) }]);
  expect(answer.detail).toContain(path);
});

test("details hold the definition, with edges both ways", async () => {
  const dag = await fixture.get("/api/v2/dags/gamma/details", dagDetailsAnswer);
  expect(dag).toMatchObject({
    timezone: "Europe/Paris",
    timetable_summary: "0 6 * * *",
    bundle_version: "hash-gamma",
    version_number: 1,
    params_schema: { type: "object", properties: { day: { type: "string" } } },
    next_dagrun_run_after: expect.any(String),
  });
  expect(
    dag.tasks.map(({ task_id, upstream_task_ids, downstream_task_ids, is_mapped }) => ({
      task_id,
      upstream_task_ids,
      downstream_task_ids,
      is_mapped,
    })),
  ).toEqual([
    { task_id: "load", upstream_task_ids: [], downstream_task_ids: ["sum"], is_mapped: false },
    { task_id: "sum", upstream_task_ids: ["load"], downstream_task_ids: [], is_mapped: false },
    { task_id: "each", upstream_task_ids: [], downstream_task_ids: [], is_mapped: true },
  ]);
  expect((await fixture.get("/api/v2/dags/gamma/tasks", tasksAnswer)).total_entries).toBe(3);
});

test("a version from a repository bears its commit", async () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const bundle = { hash: "hash-of-code", code: "", sourceMap: "{}" };
  const definitions = [makeDag("from_git")];
  await saveDagFile(fixture.db, { filename: "from_git.ts", bundle, definitions, commit }, fixture.now());
  expect(await fixture.get("/api/v2/dags/from_git", dagAnswer)).toMatchObject({
    bundle_version: commit,
    bundle_hash: "hash-of-code",
  });
  await triggerRun(fixture, "from_git", "one");
  const run = await fixture.get("/api/v2/dags/from_git/dagRuns/one", dagRunAnswer);
  expect(run.dag_versions).toMatchObject([{ bundle_version: commit, bundle_hash: "hash-of-code" }]);
  // A commit that changes nothing of the DAG makes no version.
  await saveDagFile(
    fixture.db,
    { filename: "from_git.ts", bundle, definitions, commit: "f".repeat(40) },
    fixture.now(),
  );
  expect((await fixture.get("/api/v2/dags/from_git", dagAnswer)).bundle_version).toBe(commit);
  await removeDagFile(fixture.db, "from_git.ts");
});

test("a file with an import error marks its DAG", async () => {
  await fixture.db.query({
    text: `insert into import_error (filename, message, stack_trace, "timestamp") values ('alpha.ts', 'x', 'x', $1)`,
    values: [fixture.now()],
  });
  expect((await fixture.get("/api/v2/dags/alpha", dagAnswer)).has_import_errors).toBe(true);
  expect((await fixture.get("/api/v2/dags/beta", dagAnswer)).has_import_errors).toBe(false);
});

test("PATCH pauses and unpauses, and takes nothing else", async () => {
  const patch = (payload: { [name: string]: string | boolean }, status: number, url = "/api/v2/dags/alpha") =>
    fixture.call({ method: "PATCH", url, payload }, status === 200 ? dagAnswer : problem, status);
  expect(await patch({ is_paused: true }, 200)).toMatchObject({ dag_id: "alpha", is_paused: true });
  expect(await fixture.get("/api/v2/dags/alpha", dagAnswer)).toMatchObject({ is_paused: true });
  expect(await patch({ is_paused: false }, 200)).toMatchObject({ is_paused: false });
  expect(await patch({ is_paused: true, description: "x" }, 400)).toMatchObject({
    errors: [{ path: "body.description" }],
  });
  expect(await patch({ is_paused: true }, 404, "/api/v2/dags/none")).toMatchObject({ code: "not_found" });
});

test("sources are the author's files, not the bundle", async () => {
  expect(await fixture.get("/api/v2/dagSources/alpha", dagSourceAnswer)).toEqual({
    dag_id: "alpha",
    dag_display_name: "alpha",
    version_number: 1,
    content: "// alpha.ts",
    files: [{ path: "alpha.ts", content: "// alpha.ts" }],
  });
  expect((await fixture.get("/api/v2/dagSources/alpha?version_number=2", problem, 404)).detail).toContain("alpha");
});

test.each(["", "/details", "/tasks", "/tasks/first", "/dagRuns"])("an unknown DAG is 404 at %s", async (path) => {
  expect(await fixture.get(`/api/v2/dags/none${path}`, problem, 404)).toMatchObject({
    code: "not_found",
    instance: `/api/v2/dags/none${path}`,
  });
});
