// What every route file works with.

import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Registry } from "prom-client";
import type { ObjectStore } from "../core/object-store.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { OutcomeRules } from "../store/attempt-outcome.ts";
import type { Database } from "../store/database.ts";
import type { Sealer } from "../store/sealing.ts";
import type { ExecutionTokens } from "./execution-tokens.ts";

/** Fastify, with routes typed by their zod schemas. */
export type ApiServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface ApiOptions {
  db: Database;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  version: string;
  gitVersion: string | null;
  /** "open" asks for no token and answers on loopback names only. */
  access: { kind: "open" } | { kind: "password"; digest: string };
  /** Of people's tokens; see signing-keys.ts. */
  signingKey: string;
  executionTokens: ExecutionTokens;
  /** Of files, and of logs that have left Postgres. */
  objects: ObjectStore;
  /** Of variables and connections. */
  sealer: Sealer;
  /** What becomes of finished attempts; the same rules as the scheduler's. */
  rules: OutcomeRules;
  /** Seconds; told to workers. */
  heartbeatInterval: number;
  heartbeatTimeout: number;
  /** Maps a worker's stack to the author's file. */
  mapStack: (bundleHash: string, stack: string) => Promise<string>;
  /** The times of a custom timetable after an instant, out of the sealed evaluator. Errors: invalid_dag, unavailable. */
  computeTimes: (question: {
    dag_id: string;
    version_id: number;
    after: Date;
    until: Date;
    count: number;
  }) => Promise<Date[]>;
  /** Rejects when the database's schema is not the one of this release. */
  checkSchema: () => Promise<void>;
  /** Addresses or networks whose X-Forwarded-For is believed. */
  trustedProxies: string[];
}

declare module "fastify" {
  interface FastifyRequest {
    /** Who signed in; null in open mode. */
    user: string | null;
  }
  interface FastifyContextConfig {
    /** Under /api/v2, but needs no token. */
    open?: boolean;
  }
}
