// The frame of the OpenAPI document; paths and schemas come from the routes. The execution API is not in it: it is
// between workers and servers of one release.

import type { SwaggerTransformObject } from "@fastify/swagger";
import type { RouteOptions } from "fastify";
import { jsonSchemaTransformObject } from "fastify-type-provider-zod";
import type { OpenAPIV3_1 } from "openapi-types";
import { PROBLEM_TYPE, problem } from "../contract/rest.ts";

export function describeApi(version: string): Partial<OpenAPIV3_1.Document> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Windlass",
      version,
      description:
        "Paths, field names and states are those of Airflow's public API v2. Every answer above 399 is a Problem (RFC 9457).",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    components: { securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
    security: [{ token: [] }],
  };
}

/** Gives a route what all have in common: what failure looks like, and whether a token is needed. */
export function describeRoute(route: RouteOptions): void {
  const { schema } = route;
  if (!schema || schema.hide === true) return;
  const answers = typeof schema.response === "object" ? schema.response : {};
  schema.response = {
    ...answers,
    default: { description: "What went wrong", content: { [PROBLEM_TYPE]: { schema: problem } } },
  };
  if (route.config?.open === true) schema.security = [];
}

/** Every schema is registered twice, as input and as output: only what something refers to is kept. */
export const keepUsedSchemas: SwaggerTransformObject = (document) => {
  const described = jsonSchemaTransformObject(document);
  if (!("components" in described)) return described;
  const { components } = described;
  const schemas: Record<string, unknown> = { ...components?.schemas };
  const used = new Set<string>();
  const visit = (value: unknown): void => {
    for (const [, name = ""] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"/]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit("paths" in described ? described.paths : {});
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...described, components: { ...components, schemas: kept } } as typeof described;
};
