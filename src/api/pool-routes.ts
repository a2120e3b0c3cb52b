// Pools, as people manage them.

import { parseOrdering } from "../contract/rest.ts";
import {
  type PoolAnswer,
  poolAnswer,
  poolPatch,
  poolPatchQuery,
  poolPath,
  poolRequest,
  poolsAnswer,
  poolsQuery,
} from "../contract/rest-pools.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { countSlots } from "../core/pool-slots.ts";
import { changePool, createPool, deletePool, listPools, type PoolRow, readPool } from "../store/pools.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";

const tags = ["Pool"];

export function addPoolRoutes(app: ApiServer, { db }: ApiOptions): void {
  app.get(
    "/pools",
    {
      schema: {
        tags,
        operationId: "get_pools",
        summary: "List pools with their slots",
        querystring: poolsQuery,
        response: { 200: poolsAnswer },
      },
    },
    async ({ query }) => {
      const page = await listPools(db, {
        limit: query.limit,
        offset: query.offset,
        pattern: query.pool_name_pattern,
        order: parseOrdering(query.order_by),
      });
      return { pools: page.rows.map(presentPool), total_entries: page.total };
    },
  );
  app.post(
    "/pools",
    {
      schema: {
        tags,
        operationId: "post_pool",
        summary: "Create a pool",
        querystring: emptyQuery,
        body: poolRequest,
        response: { 201: poolAnswer },
      },
    },
    async ({ body }, reply) => reply.code(201).send(presentPool(await createPool(db, body))),
  );
  app.get(
    "/pools/:pool_name",
    {
      schema: {
        tags,
        operationId: "get_pool",
        summary: "Show a pool with its slots",
        params: poolPath,
        querystring: emptyQuery,
        response: { 200: poolAnswer },
      },
    },
    async ({ params }) => presentPool(await readPool(db, params.pool_name)),
  );
  app.patch(
    "/pools/:pool_name",
    {
      schema: {
        tags,
        operationId: "patch_pool",
        summary: "Change a pool; what is left out stays",
        params: poolPath,
        querystring: poolPatchQuery,
        body: poolPatch,
        response: { 200: poolAnswer },
      },
    },
    async ({ params, query, body }) => {
      const { pool, ...given } = body;
      if (pool !== undefined && pool !== params.pool_name) {
        throw failure(
          "invalid_request",
          `pool "${params.pool_name}" cannot be renamed; create "${pool}" and delete it`,
        );
      }
      const { update_mask: mask } = query;
      const change = mask
        ? Object.fromEntries(Object.entries(given).filter(([field]) => mask.some((named) => named === field)))
        : given;
      return presentPool(await changePool(db, params.pool_name, change));
    },
  );
  app.delete(
    "/pools/:pool_name",
    {
      schema: {
        tags,
        operationId: "delete_pool",
        summary: "Delete a pool; tasks that name it wait until there is one again",
        params: poolPath,
        querystring: emptyQuery,
      },
    },
    async ({ params }, reply) => {
      await deletePool(db, params.pool_name);
      return reply.code(204).send();
    },
  );
}

function presentPool(row: PoolRow): PoolAnswer {
  const { occupied, open } = countSlots(row);
  return {
    name: row.name,
    slots: row.slots,
    description: row.description,
    include_deferred: row.include_deferred,
    occupied_slots: occupied,
    running_slots: row.running,
    queued_slots: row.queued,
    scheduled_slots: row.scheduled,
    deferred_slots: row.deferred,
    open_slots: open,
  };
}
