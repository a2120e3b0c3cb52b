// A connection as a task sees it: where a system is, and how to sign in to it.

import type { JsonObject } from "./json.ts";

export interface Connection {
  conn_type: string;
  host: string | null;
  port: number | null;
  login: string | null;
  password: string | null;
  /** Of a database: which one. */
  schema: string | null;
  /** What else its kind of system needs; secret as a whole. */
  extra: JsonObject;
}
