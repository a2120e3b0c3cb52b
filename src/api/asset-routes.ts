// Assets, their events, and who waits for them; events from outside come in here.

import { z } from "zod";
import {
  type AssetAnswer,
  assetAnswer,
  assetEventAnswer,
  type AssetEventAnswer,
  assetEventRequest,
  assetEventsAnswer,
  assetEventsQuery,
  assetPath,
  assetsAnswer,
  assetsQuery,
  EVENT_RANGE_FIELDS,
  queuedEventsAnswer,
} from "../contract/rest-assets.ts";
import { dagRunPath } from "../contract/rest-dag-runs.ts";
import { dagPath } from "../contract/rest-dags.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { pageQuery, parseOrdering, parseRanges } from "../contract/rest.ts";
import { describeWaiting } from "../core/asset-condition.ts";
import { isStorable } from "../core/clean-text.ts";
import { failure } from "../core/errors.ts";
import { emitAssetEvent } from "../store/asset-events.ts";
import {
  type AssetEventRow,
  type AssetRow,
  listAssetEvents,
  listAssetRows,
  readQueuedEvents,
} from "../store/read-assets.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { isoOf } from "./present-date.ts";
import { requireRunExists } from "./require-rows.ts";

const tags = ["Asset"];

export function addAssetRoutes(app: ApiServer, { db, clock }: ApiOptions): void {
  app.get(
    "/assets",
    {
      schema: {
        tags,
        operationId: "get_assets",
        summary: "List assets",
        querystring: assetsQuery,
        response: { 200: assetsAnswer },
      },
    },
    async ({ query }) => {
      const { order_by, ...filter } = query;
      const page = await listAssetRows(db, { ...filter, order: parseOrdering(order_by) });
      return { assets: page.rows.map(presentAsset), total_entries: page.total };
    },
  );

  app.get(
    "/assets/:asset_id",
    {
      schema: {
        tags,
        operationId: "get_asset",
        summary: "Show an asset",
        params: assetPath,
        querystring: emptyQuery,
        response: { 200: assetAnswer },
      },
    },
    async ({ params }) => {
      const { rows } = await listAssetRows(db, { id: params.asset_id, limit: 1, offset: 0, order: [] });
      const [asset] = rows;
      if (!asset) throw failure("not_found", `there is no asset ${params.asset_id}; GET /assets lists them`);
      return presentAsset(asset);
    },
  );

  app.get(
    "/assets/events",
    {
      schema: {
        tags,
        operationId: "get_asset_events",
        summary: "List events of assets, the newest first",
        querystring: assetEventsQuery,
        response: { 200: assetEventsAnswer },
      },
    },
    async ({ query }) => {
      const { order_by, ...filter } = query;
      const page = await listAssetEvents(db, {
        ...filter,
        ranges: parseRanges(EVENT_RANGE_FIELDS, query),
        order: parseOrdering(order_by),
      });
      return { asset_events: page.rows.map(presentEvent), total_entries: page.total };
    },
  );

  app.post(
    "/assets/events",
    {
      schema: {
        tags,
        operationId: "create_asset_event",
        summary: "Record an event that something outside has caused",
        querystring: emptyQuery,
        body: assetEventRequest,
        response: { 200: assetEventAnswer },
      },
    },
    async ({ body, user, log }) => {
      if (!isStorable(body.extra)) {
        throw failure("invalid_request", "extra holds a NUL character or half a surrogate pair; remove it");
      }
      const id = await emitAssetEvent(db, body.asset_id, body.extra, clock.now());
      log.info({ asset_id: body.asset_id, asset_event_id: id, user }, "asset event recorded");
      const { rows } = await listAssetEvents(db, { id, limit: 1, offset: 0, ranges: [], order: [] });
      const [event] = rows;
      if (!event) throw failure("not_found", `event ${id} was deleted at once: it is older than the retention period`);
      return presentEvent(event);
    },
  );

  app.get(
    "/dags/:dag_id/dagRuns/:dag_run_id/upstreamAssetEvents",
    {
      schema: {
        tags,
        operationId: "get_upstream_asset_events",
        summary: "List the events that a run consumed, in their order",
        params: dagRunPath,
        querystring: z.strictObject(pageQuery),
        response: { 200: assetEventsAnswer },
      },
    },
    async ({ params, query }) => {
      const page = await listAssetEvents(db, {
        ...query,
        consumed_by: params,
        ranges: [],
        order: [{ field: "id", descending: false }],
      });
      if (page.total === 0) await requireRunExists(db, params.dag_id, params.dag_run_id);
      return { asset_events: page.rows.map(presentEvent), total_entries: page.total };
    },
  );

  app.get(
    "/dags/:dag_id/assets/queuedEvents",
    {
      schema: {
        tags,
        operationId: "get_dag_asset_queued_events",
        summary: "Show which events a DAG has not consumed yet, and what its next run waits for",
        params: dagPath,
        querystring: emptyQuery,
        response: { 200: queuedEventsAnswer },
      },
    },
    async ({ params: { dag_id } }) => {
      const found = await readQueuedEvents(db, dag_id);
      if (!found) throw failure("not_found", `there is no DAG "${dag_id}"`);
      const { condition, queued } = found;
      const seen = queued.map(({ name }) => name);
      return {
        queued_events: queued.map(({ asset_id, name, created_at, events }) => ({
          dag_id,
          dag_display_name: dag_id,
          asset_id,
          name,
          created_at: created_at.toISOString(),
          events,
        })),
        total_entries: queued.length,
        waits_for: condition && describeWaiting(condition, seen),
      };
    },
  );
}

function presentAsset(row: AssetRow): AssetAnswer {
  const { last_event_id: id, last_event_at: at, ...asset } = row;
  return {
    ...asset,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    scheduled_dags: row.scheduled_dags.map((each) => ({ ...each, created_at: inUtc(each.created_at) })),
    producing_tasks: row.producing_tasks.map((each) => ({ ...each, created_at: inUtc(each.created_at) })),
    last_asset_event: id === null || at === null ? null : { id, timestamp: at.toISOString() },
  };
}

function presentEvent(row: AssetEventRow): AssetEventAnswer {
  return {
    ...row,
    timestamp: row.timestamp.toISOString(),
    created_dagruns: row.created_dagruns.map((run) => ({
      ...run,
      run_after: inUtc(run.run_after),
      start_date: isoOf(run.start_date === null ? null : new Date(run.start_date)),
      end_date: isoOf(run.end_date === null ? null : new Date(run.end_date)),
    })),
  };
}

function inUtc(time: string): string {
  return new Date(time).toISOString();
}
