// Connections as tests give them: only with the fields that matter.

import type { Connection } from "../core/connection.ts";

const NO_CONNECTION: Connection = {
  conn_type: "generic",
  host: null,
  port: null,
  login: null,
  password: null,
  schema: null,
  extra: {},
};

/** What is no object is left as it is, for whoever checks it. */
export function completeConnection(given: unknown): unknown {
  return typeof given === "object" && given !== null ? { ...NO_CONNECTION, ...given } : given;
}

export function completeConnections(given: { readonly [id: string]: Partial<Connection> }): {
  [id: string]: Connection;
} {
  return Object.fromEntries(Object.entries(given).map(([id, fields]) => [id, { ...NO_CONNECTION, ...fields }]));
}
