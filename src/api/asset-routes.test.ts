import { afterAll, beforeAll, expect, test } from "vitest";
import {
  assetAnswer,
  assetEventAnswer,
  assetEventsAnswer,
  assetsAnswer,
  queuedEventsAnswer,
} from "../contract/rest-assets.ts";
import { nextRunsAnswer } from "../contract/rest-backfills.ts";
import { dagDetailsAnswer } from "../contract/rest-dags.ts";
import { problem } from "../contract/rest.ts";
import type { AssetDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { createAssetRuns } from "../store/asset-runs.ts";
import { type ApiFixture, makeDag, makeTask, openApiFixture, publishDag, START } from "./api-fixture.ts";

let fixture: ApiFixture;
const orders: AssetDefinition = { name: "orders", uri: "s3://bucket/orders", group: "sales", extra: { owner: "x" } };
const rates: AssetDefinition = { name: "rates", uri: "rates" };
beforeAll(async () => {
  fixture = await openApiFixture();
  await publishDag(fixture, makeDag("producer", { tasks: [makeTask("make", { outlets: [orders] })] }));
  const schedule = { kind: "cron", expression: "0 6 * * *", timezone: "UTC" } as const;
  const of = [orders, rates].map((asset) => ({ kind: "asset" as const, asset }));
  await publishDag(fixture, makeDag("consumer", { schedule, assets: { kind: "all", of } }));
  await publishDag(fixture, makeDag("plain"));
});
afterAll(() => fixture.close());

const findAsset = async (name: string) => {
  const [asset] = (await fixture.get(`/api/v2/assets?name=${name}`, assetsAnswer)).assets;
  if (!asset) throw new Error(`there is no asset ${name}`);
  return asset;
};
const post = (payload: JsonObject) => ({ method: "POST" as const, url: "/api/v2/assets/events", payload });

test("assets are listed with who produces them and who waits for them", async () => {
  const asset = await findAsset("orders");
  const created_at = START.toISOString();
  expect(asset).toEqual({
    id: asset.id,
    ...orders,
    created_at,
    updated_at: created_at,
    scheduled_dags: [{ dag_id: "consumer", created_at }],
    producing_tasks: [{ dag_id: "producer", task_id: "make", created_at }],
    last_asset_event: null,
  });
  expect(await fixture.get(`/api/v2/assets/${asset.id}`, assetAnswer)).toEqual(asset);
  expect((await fixture.get("/api/v2/assets?dag_ids=producer", assetsAnswer)).assets).toEqual([asset]);
  expect((await fixture.get("/api/v2/assets?order_by=-name&limit=1", assetsAnswer)).assets[0]?.name).toBe("rates");
  expect((await fixture.get("/api/v2/assets?uri_pattern=BUCKET", assetsAnswer)).total_entries).toBe(1);
});

test("an event from outside waits, until the run that consumed it shows it", async () => {
  const first = await findAsset("orders");
  const second = await findAsset("rates");
  const event = await fixture.call(post({ asset_id: first.id, extra: { rows: 3 } }), assetEventAnswer, 200);
  expect(event).toMatchObject({ name: "orders", extra: { rows: 3 }, source_dag_id: null, created_dagruns: [] });
  const path = "/api/v2/dags/consumer/assets/queuedEvents";
  expect(await fixture.get(path, queuedEventsAnswer)).toEqual({
    queued_events: [
      {
        dag_id: "consumer",
        dag_display_name: "consumer",
        asset_id: first.id,
        name: "orders",
        created_at: START.toISOString(),
        events: 1,
      },
    ],
    total_entries: 1,
    waits_for: 'a run waits for an event of "rates"; events of "orders" wait for it',
  });
  expect(await fixture.get("/api/v2/dags/consumer/nextRuns?count=1", nextRunsAnswer)).toMatchObject({
    total_entries: 1,
    waits_for: 'a run waits for an event of "rates"; events of "orders" wait for it',
  });
  await fixture.call(post({ asset_id: second.id }), assetEventAnswer, 200);
  expect((await createAssetRuns(fixture.db, fixture.now(), 10)).created).toBe(1);
  expect((await fixture.get(path, queuedEventsAnswer)).queued_events).toEqual([]);
  const { asset_events } = await fixture.get("/api/v2/assets/events?order_by=id", assetEventsAnswer);
  expect(asset_events.map(({ name }) => name)).toEqual(["orders", "rates"]);
  const [run] = asset_events[0]?.created_dagruns ?? [];
  expect(run).toMatchObject({ dag_id: "consumer", state: "queued", run_after: START.toISOString(), start_date: null });
  const upstream = `/api/v2/dags/consumer/dagRuns/${encodeURIComponent(run?.dag_run_id ?? "")}/upstreamAssetEvents`;
  expect((await fixture.get(upstream, assetEventsAnswer)).asset_events).toEqual(asset_events);
  expect((await findAsset("orders")).last_asset_event).toEqual({ id: event.id, timestamp: START.toISOString() });
  const filtered = `/api/v2/assets/events?asset_id=${second.id}&timestamp_gte=${START.toISOString()}`;
  expect((await fixture.get(filtered, assetEventsAnswer)).total_entries).toBe(1);
  expect((await fixture.get("/api/v2/assets/events?source_dag_id=producer", assetEventsAnswer)).total_entries).toBe(0);
});

test("a DAG shows its condition", async () => {
  const dag = await fixture.get("/api/v2/dags/consumer/details", dagDetailsAnswer);
  expect(dag).toMatchObject({
    timetable_summary: "0 6 * * *, or Asset",
    timetable_description: 'cron 0 6 * * * in UTC, or after events of "orders" and "rates"',
    asset_expression: { all: [{ asset: orders }, { asset: rates }] },
  });
  const plain = await fixture.get("/api/v2/dags/plain/details", dagDetailsAnswer);
  expect(plain).toMatchObject({ timetable_summary: null, asset_expression: null });
  expect(await fixture.get("/api/v2/dags/plain/assets/queuedEvents", queuedEventsAnswer)).toEqual({
    queued_events: [],
    total_entries: 0,
    waits_for: null,
  });
});

test("what is not there or not valid is refused by name", async () => {
  expect(await fixture.get("/api/v2/assets/999", problem, 404)).toMatchObject({ detail: /asset 999/ });
  expect((await fixture.call(post({ asset_id: 999 }), problem, 404)).detail).toContain("asset 999");
  expect((await fixture.call(post({ asset_id: 1, extra: [] as never }), problem, 400)).errors[0]?.path).toContain(
    "extra",
  );
  expect((await fixture.call(post({ asset_id: 1, extra: { a: "\0" } }), problem, 400)).detail).toContain("NUL");
  expect((await fixture.get("/api/v2/dags/none/assets/queuedEvents", problem, 404)).detail).toContain('"none"');
  const upstream = "/api/v2/dags/plain/dagRuns/none/upstreamAssetEvents";
  expect((await fixture.get(upstream, problem, 404)).detail).toContain('"none"');
});
