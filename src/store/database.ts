// Postgres: the one place where truth is kept, and the only folder that speaks to it. Every statement is plain SQL beside
// the function that runs it; several rows travel as arrays through unnest. A statement runs on a Queryable: the pool, or a
// transaction's client. When Postgres is away calls fail with code `unavailable`, and loops repeat them with backoff.

import pg from "pg";
import { failure, isFailure } from "../core/errors.ts";
import type { Logger } from "../lifecycle/log.ts";

// int8 (ids, counts) as number: ids stay far below 2^53. json and jsonb come parsed, timestamptz as Date.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export interface Statement {
  /** Named statements are prepared once per connection. */
  name?: string;
  text: string;
  values?: unknown[];
  /** For work of any size: no deadline. */
  unhurried?: boolean;
}

export interface Queryable {
  /** Rows as the statement names them; the caller declares their shape beside the SQL. */
  query<Row extends object = Record<string, unknown>>(statement: Statement): Promise<{ rows: Row[]; rowCount: number }>;
}

export interface Database extends Queryable {
  /** Runs `work` in one transaction; any error rolls it back. Deadlocks and serialisation failures are repeated 3 times. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  readonly url: string;
  /** The process is to end: from now on nothing waits long for a Postgres that does not answer. */
  hurry(): void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Connections of this process at most. */
  poolSize: number;
  applicationName: string;
  log: Logger;
  /** Of each statement. */
  deadlineMs?: number;
}

// 40001 serialization_failure, 40P01 deadlock_detected: the same work will go through when repeated.
const REPEATABLE = new Set(["40001", "40P01"]);
const MAX_REPEATS = 3;
// A connection whose peer vanished without a word would otherwise hold its caller for ever.
const STATEMENT_DEADLINE_MS = 30_000;
// A process that stands still inside a transaction, or cannot be reached any more, holds its locks no longer than this.
const IDLE_TRANSACTION_SECONDS = 15;
const CLOSE_MS = 2_000;
// Several of these fit into the minute that a process has to stop.
const HURRIED_MS = 5_000;

/** query_timeout is pg's own, and missing in its types. */
interface TimedStatement extends pg.QueryConfig {
  query_timeout?: number;
}

export function openDatabase(options: DatabaseOptions): Database {
  let deadlineMs = options.deadlineMs ?? STATEMENT_DEADLINE_MS;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
  });
  // Without a listener a connection's error ends the process; the pool listens to idle ones only, and says so here again.
  const open = new Set<pg.PoolClient>();
  pool.on("remove", (client) => open.delete(client));
  pool.on("connect", (client) => {
    open.add(client);
    client.on("error", (error) => options.log.warn({ err: error }, "a database connection broke"));
  });
  pool.on("error", () => {});
  // Servers that are gone do not say goodbye.
  const cutOff = () => {
    for (const client of open) client.connection.stream.destroy();
  };

  const query = async <Row extends object>(client: pg.Pool | pg.PoolClient, statement: Statement) => {
    const { unhurried, ...rest } = statement;
    const timed: TimedStatement = unhurried ? rest : { ...rest, query_timeout: deadlineMs };
    const result = await client.query<Row>(timed).catch(throwUnavailable);
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  };

  const transactOnce = async <T>(work: (tx: Queryable) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch(throwUnavailable);
    let broken = false;
    try {
      // In one message, and local: nothing is left on the connection, so that a pooler may lie between.
      await query(client, {
        text: `begin; set local idle_in_transaction_session_timeout = '${IDLE_TRANSACTION_SECONDS}s'`,
      });
      const value = await work({ query: (statement) => query(client, statement) });
      await query(client, { text: "commit" });
      return value;
    } catch (error) {
      // A connection that does not answer, or whose rollback fails, is not given back.
      broken = isFailure(error, "unavailable");
      if (!broken) await query(client, { text: "rollback" }).catch(() => (broken = true));
      throw error;
    } finally {
      client.release(broken);
    }
  };

  return {
    url: options.url,
    query: (statement) => query(pool, statement),
    transaction: async (work) => {
      for (let repeats = 0; ; repeats += 1) {
        try {
          return await transactOnce(work);
        } catch (error) {
          if (repeats >= MAX_REPEATS || !REPEATABLE.has(sqlState(error))) throw error;
          options.log.warn({ err: error, repeats }, "transaction repeated");
        }
      }
    },
    hurry: () => {
      deadlineMs = Math.min(deadlineMs, HURRIED_MS);
      pool.options.connectionTimeoutMillis = HURRIED_MS;
      setTimeout(cutOff, HURRIED_MS).unref();
    },
    close: async () => {
      const late = setTimeout(cutOff, CLOSE_MS);
      await pool.end();
      clearTimeout(late);
    },
  };
}

/** The SQLSTATE of a database error, or "". */
export function sqlState(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

// 08: connection exceptions, 57P01-3: the server shuts down or starts, 25P03: we stood still inside a transaction. No SQLSTATE
// at all: the network, the deadline, or the pool's patience.
const AWAY = /^(08...|57P0[123]|25P03|E[A-Z_]+|)$/;

/** Errors that the server itself answers with are kept; they are the statement's, and told apart by SQLSTATE. */
function throwUnavailable(error: unknown): never {
  if (!AWAY.test(sqlState(error))) throw error;
  throw failure("unavailable", "Postgres does not answer; check WINDLASS_DATABASE_URL and that the server runs", {
    cause: error,
  });
}
