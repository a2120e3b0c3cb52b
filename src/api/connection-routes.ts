// Connections, as people manage them. Password and extra go in and are never answered.

import { parseOrdering } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import {
  type ConnectionAnswer,
  connectionAnswer,
  connectionPatch,
  connectionPath,
  connectionRequest,
  connectionsAnswer,
  connectionsQuery,
} from "../contract/rest-variables.ts";
import {
  type ConnectionRow,
  deleteConnection,
  listConnections,
  openConnection,
  readConnection,
  writeConnection,
} from "../store/connections.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";

const tags = ["Connection"];

export function addConnectionRoutes(app: ApiServer, { db, clock, sealer }: ApiOptions): void {
  const present = (row: ConnectionRow): ConnectionAnswer => {
    const { sealed_secrets: _, updated_at, ...fields } = row;
    const { password, extra } = openConnection(sealer, row);
    return {
      ...fields,
      has_password: password !== null,
      extra_keys: Object.keys(extra),
      updated_at: updated_at.toISOString(),
    };
  };

  app.get(
    "/connections",
    {
      schema: {
        tags,
        operationId: "get_connections",
        summary: "List connections",
        querystring: connectionsQuery,
        response: { 200: connectionsAnswer },
      },
    },
    async ({ query }) => {
      const page = await listConnections(db, {
        limit: query.limit,
        offset: query.offset,
        pattern: query.connection_id_pattern,
        order: parseOrdering(query.order_by),
      });
      return { connections: page.rows.map(present), total_entries: page.total };
    },
  );
  app.post(
    "/connections",
    {
      schema: {
        tags,
        operationId: "post_connection",
        summary: "Create a connection",
        querystring: emptyQuery,
        body: connectionRequest,
        response: { 201: connectionAnswer },
      },
    },
    async ({ body }, reply) =>
      reply.code(201).send(present(await writeConnection(db, sealer, body, "create", clock.now()))),
  );
  app.get(
    "/connections/:connection_id",
    {
      schema: {
        tags,
        operationId: "get_connection",
        summary: "Show a connection",
        params: connectionPath,
        querystring: emptyQuery,
        response: { 200: connectionAnswer },
      },
    },
    async ({ params }) => present(await readConnection(db, params.connection_id)),
  );
  app.patch(
    "/connections/:connection_id",
    {
      schema: {
        tags,
        operationId: "patch_connection",
        summary: "Change a connection; what is left out stays",
        params: connectionPath,
        querystring: emptyQuery,
        body: connectionPatch,
        response: { 200: connectionAnswer },
      },
    },
    async ({ params, body }) => {
      const old = await readConnection(db, params.connection_id);
      const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      const { connection_id, description } = old;
      const changed = { connection_id, description, ...openConnection(sealer, old), ...given };
      return present(await writeConnection(db, sealer, changed, "change", clock.now()));
    },
  );
  app.delete(
    "/connections/:connection_id",
    {
      schema: {
        tags,
        operationId: "delete_connection",
        summary: "Delete a connection",
        params: connectionPath,
        querystring: emptyQuery,
      },
    },
    async ({ params }, reply) => {
      await deleteConnection(db, params.connection_id);
      return reply.code(204).send();
    },
  );
}
