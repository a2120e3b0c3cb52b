// Variables, as people manage them. A secret one's value goes in and is never answered.

import { failure } from "../core/errors.ts";
import { parseOrdering } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import {
  type VariableAnswer,
  variableAnswer,
  variablePatch,
  variablePath,
  variableRequest,
  variablesAnswer,
  variablesQuery,
} from "../contract/rest-variables.ts";
import {
  deleteVariable,
  listVariables,
  openVariable,
  readVariable,
  type VariableRow,
  writeVariable,
} from "../store/variables.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";

const tags = ["Variable"];

export function addVariableRoutes(app: ApiServer, { db, clock, sealer }: ApiOptions): void {
  const present = (row: VariableRow): VariableAnswer => ({
    key: row.key,
    value: row.is_secret ? null : openVariable(sealer, row),
    is_secret: row.is_secret,
    is_encrypted: true,
    description: row.description,
    updated_at: row.updated_at.toISOString(),
  });

  app.get(
    "/variables",
    {
      schema: {
        tags,
        operationId: "get_variables",
        summary: "List variables",
        querystring: variablesQuery,
        response: { 200: variablesAnswer },
      },
    },
    async ({ query }) => {
      const page = await listVariables(db, {
        limit: query.limit,
        offset: query.offset,
        pattern: query.variable_key_pattern,
        order: parseOrdering(query.order_by),
      });
      return { variables: page.rows.map(present), total_entries: page.total };
    },
  );
  app.post(
    "/variables",
    {
      schema: {
        tags,
        operationId: "post_variable",
        summary: "Create a variable",
        querystring: emptyQuery,
        body: variableRequest,
        response: { 201: variableAnswer },
      },
    },
    async ({ body }, reply) =>
      reply.code(201).send(present(await writeVariable(db, sealer, body, "create", clock.now()))),
  );
  app.get(
    "/variables/:variable_key",
    {
      schema: {
        tags,
        operationId: "get_variable",
        summary: "Show a variable",
        params: variablePath,
        querystring: emptyQuery,
        response: { 200: variableAnswer },
      },
    },
    async ({ params }) => present(await readVariable(db, params.variable_key)),
  );
  app.patch(
    "/variables/:variable_key",
    {
      schema: {
        tags,
        operationId: "patch_variable",
        summary: "Change a variable; what is left out stays",
        params: variablePath,
        querystring: emptyQuery,
        body: variablePatch,
        response: { 200: variableAnswer },
      },
    },
    async ({ params, body }) => {
      const old = await readVariable(db, params.variable_key);
      // Else anybody who may change it could have it shown.
      if (old.is_secret && body.is_secret === false && body.value === undefined) {
        const detail = `variable "${old.key}" is secret; to make it plain, give is_secret and value together`;
        throw failure("invalid_request", detail, { errors: [{ path: "body.value", message: "is missing" }] });
      }
      const changed = {
        key: old.key,
        value: body.value ?? openVariable(sealer, old),
        is_secret: body.is_secret ?? old.is_secret,
        description: body.description === undefined ? old.description : body.description,
      };
      return present(await writeVariable(db, sealer, changed, "change", clock.now()));
    },
  );
  app.delete(
    "/variables/:variable_key",
    {
      schema: {
        tags,
        operationId: "delete_variable",
        summary: "Delete a variable",
        params: variablePath,
        querystring: emptyQuery,
      },
    },
    async ({ params }, reply) => {
      await deleteVariable(db, params.variable_key);
      return reply.code(204).send();
    },
  );
}
