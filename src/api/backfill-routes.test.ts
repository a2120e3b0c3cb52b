import { afterAll, beforeAll, expect, test } from "vitest";
import { backfillAnswer, backfillsAnswer, dryRunAnswer, nextRunsAnswer } from "../contract/rest-backfills.ts";
import { problem } from "../contract/rest.ts";
import type { JsonObject } from "../core/json.ts";
import { type ApiFixture, makeDag, openApiFixture, publishDag } from "./api-fixture.ts";

let fixture: ApiFixture;
const asked: unknown[] = [];
beforeAll(async () => {
  fixture = await openApiFixture({
    computeTimes: async (question) => {
      asked.push(question);
      return [new Date("2026-03-01T13:00:00Z"), new Date("2026-03-03T13:00:00Z")];
    },
  });
  const daily = { kind: "cron", expression: "0 6 * * *", timezone: "Europe/Paris" } as const;
  await publishDag(fixture, makeDag("daily", { schedule: daily }));
  await publishDag(fixture, makeDag("manual"));
  const chained = makeDag("chained", { schedule: daily });
  const tasks = chained.tasks.map((task) => ({ ...task, depends_on_past: true }));
  await publishDag(fixture, { ...chained, tasks });
  await publishDag(fixture, makeDag("custom", { schedule: { kind: "custom", timezone: "UTC" } }));
});
afterAll(() => fixture.close());

const RANGE = { dag_id: "daily", from_date: "2026-02-01T00:00:00Z", to_date: "2026-02-03T00:00:00Z" };
const post = (path: string, change: JsonObject = {}) => ({
  method: "POST" as const,
  url: `/api/v2/backfills${path}`,
  payload: { ...RANGE, ...change },
});

test("the next runs are those of the schedule", async () => {
  const path = "/api/v2/dags/daily/nextRuns?count=2&from=2026-03-28T12:00:00Z";
  const { next_runs } = await fixture.get(path, nextRunsAnswer);
  const dates = ["2026-03-29T04:00:00.000Z", "2026-03-30T04:00:00.000Z"];
  expect(next_runs).toEqual(
    dates.map((date) => ({
      logical_date: date,
      data_interval_start: date,
      data_interval_end: date,
      run_after: date,
    })),
  );
  expect(await fixture.get("/api/v2/dags/manual/nextRuns", nextRunsAnswer)).toEqual({
    next_runs: [],
    total_entries: 0,
    waits_for: null,
  });
});

test("a custom timetable is asked outside this process", async () => {
  const { next_runs } = await fixture.get("/api/v2/dags/custom/nextRuns", nextRunsAnswer);
  expect(next_runs.map((run) => run.run_after)).toEqual(["2026-03-01T13:00:00.000Z", "2026-03-03T13:00:00.000Z"]);
  expect(asked).toMatchObject([{ dag_id: "custom", after: fixture.now(), count: 11 }]);
});

test("a backfill is shown, paused, listed and cancelled; the dry run makes none", async () => {
  const { backfills } = await fixture.call(post("/dry_run", { run_backwards: true }), dryRunAnswer, 200);
  expect(backfills.map((run) => run.logical_date)).toEqual(["2026-02-02T05:00:00.000Z", "2026-02-01T05:00:00.000Z"]);
  expect(await fixture.get("/api/v2/backfills", backfillsAnswer)).toEqual({ backfills: [], total_entries: 0 });
  const made = await fixture.call(post(""), backfillAnswer, 200);
  expect(made).toMatchObject({
    dag_id: "daily",
    max_active_runs: 10,
    reprocess_behavior: "none",
    completed_at: null,
    dates: { total: 2, pending: 2, created: 0 },
  });
  expect(await fixture.call(post(""), problem, 409)).toMatchObject({ code: "already_exists" });
  const url = `/api/v2/backfills/${made.id}`;
  const put = (action: string) => ({ method: "PUT" as const, url: `${url}/${action}` });
  expect(await fixture.call(put("pause"), backfillAnswer, 200)).toMatchObject({ is_paused: true });
  expect(await fixture.call(put("unpause"), backfillAnswer, 200)).toMatchObject({ is_paused: false });
  expect(await fixture.call(put("cancel"), backfillAnswer, 200)).toMatchObject({
    completed_at: fixture.now().toISOString(),
    dates: { pending: 0 },
  });
  expect(await fixture.call(put("cancel"), problem, 409)).toMatchObject({ code: "backfill_ended" });
  expect(await fixture.get(url, backfillAnswer)).toMatchObject({ id: made.id });
  expect((await fixture.get("/api/v2/backfills?dag_id=daily&active=false", backfillsAnswer)).total_entries).toBe(1);
  expect((await fixture.get("/api/v2/backfills?active=true", backfillsAnswer)).total_entries).toBe(0);
});

test.each<[string, JsonObject, number, string]>([
  ["an unknown DAG", { dag_id: "none" }, 404, 'no DAG "none"'],
  ["a DAG without dates", { dag_id: "manual" }, 400, "has no schedule with dates"],
  ["dates in the wrong order", { to_date: "2026-01-01T00:00:00Z" }, 400, "before from_date"],
  ["a range without dates", { to_date: "2026-02-01T04:59:59Z" }, 400, "no time of its schedule that has come"],
  ["the newest first of what looks back", { dag_id: "chained", run_backwards: true }, 400, 'task "first" waits'],
  ["too many dates", { from_date: "1990-01-01T00:00:00Z" }, 400, "more than 10000 runs"],
  ["params that there are none of", { dag_run_conf: { day: 1 } }, 400, "takes no params"],
  ["an unknown way", { reprocess_behavior: "all" }, 400, "reprocess_behavior"],
])("%s is refused by name", async (_name, change, status, detail) => {
  expect((await fixture.call(post("", change), problem, status)).detail).toContain(detail);
  expect((await fixture.call(post("/dry_run", change), problem, status)).detail).toContain(detail);
});
