// Variables and connections in the REST API. What is secret is written and never answered.

import { z } from "zod";
import { connectionId, variableKey } from "./definition.ts";
import { freeObject, instant, orderByQuery, pageQuery, patternQuery } from "./rest.ts";

/** Of one value; larger things are files. */
const MAX_VALUE = 65_536;
const text = (max: number) => z.string().max(max);
const description = text(1_000).nullable();

const VARIABLE_ORDER_FIELDS = ["key", "updated_at"] as const;
export const variablesQuery = z.strictObject({
  ...pageQuery,
  variable_key_pattern: patternQuery,
  order_by: orderByQuery(VARIABLE_ORDER_FIELDS),
});
export const variablePath = z.strictObject({ variable_key: z.string() });

export const variableRequest = z
  .strictObject({
    key: variableKey,
    value: text(MAX_VALUE),
    /** true unless given: the value is never answered, and masked in logs. */
    is_secret: z.boolean().default(true),
    description: description.default(null),
  })
  .meta({ id: "VariableBody" });
/** What is left out stays as it is. */
export const variablePatch = z
  .strictObject({
    value: text(MAX_VALUE).optional(),
    is_secret: z.boolean().optional(),
    description: description.optional(),
  })
  .meta({ id: "VariablePatch" });
export const variableAnswer = z
  .object({
    key: z.string(),
    /** null: it is secret. */
    value: z.string().nullable(),
    is_secret: z.boolean(),
    is_encrypted: z.literal(true),
    description: z.string().nullable(),
    updated_at: instant,
  })
  .meta({ id: "Variable" });
export type VariableAnswer = z.infer<typeof variableAnswer>;
export const variablesAnswer = z
  .object({ variables: z.array(variableAnswer), total_entries: z.int() })
  .meta({ id: "VariableCollection" });

const CONNECTION_ORDER_FIELDS = ["connection_id", "conn_type", "updated_at"] as const;
export const connectionsQuery = z.strictObject({
  ...pageQuery,
  connection_id_pattern: patternQuery,
  order_by: orderByQuery(CONNECTION_ORDER_FIELDS),
});
export const connectionPath = z.strictObject({ connection_id: z.string() });

const connectionFields = {
  conn_type: text(250).min(1),
  host: text(1_000).nullable(),
  port: z.int().min(1).max(65_535).nullable(),
  login: text(1_000).nullable(),
  password: text(MAX_VALUE).nullable(),
  schema: text(1_000).nullable(),
  extra: freeObject,
};
export const connectionRequest = z
  .strictObject({
    connection_id: connectionId,
    conn_type: connectionFields.conn_type,
    description: description.default(null),
    host: connectionFields.host.default(null),
    port: connectionFields.port.default(null),
    login: connectionFields.login.default(null),
    password: connectionFields.password.default(null),
    schema: connectionFields.schema.default(null),
    extra: connectionFields.extra.default({}),
  })
  .meta({ id: "ConnectionBody" });
/** What is left out stays as it is. */
export const connectionPatch = z
  .strictObject({ ...connectionFields, description })
  .partial()
  .meta({ id: "ConnectionPatch" });
export const connectionAnswer = z
  .object({
    connection_id: z.string(),
    conn_type: z.string(),
    description: z.string().nullable(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    login: z.string().nullable(),
    schema: z.string().nullable(),
    has_password: z.boolean(),
    /** The names in `extra`; their values are secret. */
    extra_keys: z.array(z.string()),
    updated_at: instant,
  })
  .meta({ id: "Connection" });
export type ConnectionAnswer = z.infer<typeof connectionAnswer>;
export const connectionsAnswer = z
  .object({ connections: z.array(connectionAnswer), total_entries: z.int() })
  .meta({ id: "ConnectionCollection" });
