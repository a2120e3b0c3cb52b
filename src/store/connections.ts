// Connections: where a system is and how to sign in to it. Password and extra are sealed at rest.

import type { Connection } from "../core/connection.ts";
import { failure } from "../core/errors.ts";
import type { Queryable } from "./database.ts";
import { buildOrder, type Ordering, type Page, type PageSize, readPage, splitPattern } from "./read-page.ts";
import type { Sealer } from "./sealing.ts";

export interface NewConnection extends Connection {
  connection_id: string;
  description: string | null;
}

export interface ConnectionRow {
  connection_id: string;
  conn_type: string;
  description: string | null;
  host: string | null;
  port: number | null;
  login: string | null;
  schema: string | null;
  sealed_secrets: string;
  updated_at: Date;
}

export type ConnectionOrderField = "connection_id" | "conn_type" | "updated_at";
const ORDER: Record<ConnectionOrderField, string> = {
  connection_id: "c.connection_id",
  conn_type: "c.conn_type",
  updated_at: "c.updated_at",
};
const COLUMNS = `c.connection_id, c.conn_type, c.description, c.host, c.port, c.login, c.schema, c.sealed_secrets,
  c.updated_at`;

const placeOf = (connectionId: string) => `connection/${connectionId}`;

export interface ConnectionFilter extends PageSize {
  pattern: string | undefined;
  order: Ordering<ConnectionOrderField>[];
}

export async function listConnections(db: Queryable, filter: ConnectionFilter): Promise<Page<ConnectionRow>> {
  return readPage<ConnectionRow>(db, {
    columns: COLUMNS,
    from: "connection c",
    conditions: [{ sql: "c.connection_id ilike any ($::text[])", value: splitPattern(filter.pattern) }],
    order: buildOrder(ORDER, [], filter.order, "c.connection_id", "c.connection_id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

/** Errors: not_found. */
export async function readConnection(db: Queryable, connectionId: string): Promise<ConnectionRow> {
  const [row] = await readConnections(db, [connectionId]);
  if (!row) throw failure("not_found", `there is no connection "${connectionId}"`);
  return row;
}

export async function readConnections(db: Queryable, ids: readonly string[]): Promise<ConnectionRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await db.query<ConnectionRow>({
    name: "read_connections",
    text: `select ${COLUMNS} from connection c where c.connection_id = any ($1)`,
    values: [ids],
  });
  return rows;
}

type Secrets = Pick<Connection, "password" | "extra">;

export function openConnection(sealer: Sealer, row: ConnectionRow): Connection {
  // Sealed by writeConnection, and authenticated by its seal.
  const secrets = JSON.parse(sealer.open(row.sealed_secrets, placeOf(row.connection_id))) as Secrets;
  const { conn_type, host, port, login, schema } = row;
  return { conn_type, host, port, login, schema, ...secrets };
}

/** @param mode create: already_exists for one that is there; change: not_found for one that is not */
export async function writeConnection(
  db: Queryable,
  sealer: Sealer,
  connection: NewConnection,
  mode: "create" | "change",
  now: Date,
): Promise<ConnectionRow> {
  const { connection_id, conn_type, description, host, port, login, schema, password, extra } = connection;
  const secrets: Secrets = { password, extra };
  const sealed = sealer.seal(JSON.stringify(secrets), placeOf(connection_id));
  const values = [connection_id, conn_type, description, host, port, login, schema, sealed, now];
  const { rows } =
    mode === "create"
      ? await db.query<ConnectionRow>({
          name: "create_connection",
          text: `insert into connection as c (connection_id, conn_type, description, host, port, login, schema,
              sealed_secrets, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (connection_id) do nothing returning ${COLUMNS}`,
          values,
        })
      : await db.query<ConnectionRow>({
          name: "change_connection",
          text: `update connection c set conn_type = $2, description = $3, host = $4, port = $5, login = $6, schema = $7,
              sealed_secrets = $8, updated_at = $9
            where c.connection_id = $1 returning ${COLUMNS}`,
          values,
        });
  const row = rows[0];
  if (row) return row;
  throw mode === "create"
    ? failure("already_exists", `there is a connection "${connection_id}" already; change it with PATCH`)
    : failure("not_found", `there is no connection "${connection_id}"`);
}

/** Errors: not_found. */
export async function deleteConnection(db: Queryable, connectionId: string): Promise<void> {
  const { rowCount } = await db.query({
    name: "delete_connection",
    text: "delete from connection where connection_id = $1",
    values: [connectionId],
  });
  if (rowCount === 0) throw failure("not_found", `there is no connection "${connectionId}"`);
}

/** Seals the secrets of every connection anew under the current key. */
export async function resealConnections(tx: Queryable, sealer: Sealer): Promise<number> {
  // for update: secrets that are set meanwhile must not be overwritten by the older ones.
  const { rows } = await tx.query<ConnectionRow>({
    name: "lock_connections",
    text: `select ${COLUMNS} from connection c order by c.connection_id for update`,
  });
  const stale = rows.filter((row) => !sealer.isCurrent(row.sealed_secrets));
  if (stale.length === 0) return 0;
  await tx.query({
    name: "reseal_connections",
    text: `update connection c set sealed_secrets = s.sealed from unnest($1::text[], $2::text[]) as s (id, sealed)
      where c.connection_id = s.id`,
    values: [
      stale.map((row) => row.connection_id),
      stale.map(({ connection_id, sealed_secrets }) => {
        const place = placeOf(connection_id);
        return sealer.seal(sealer.open(sealed_secrets, place), place);
      }),
    ],
  });
  return stale.length;
}
