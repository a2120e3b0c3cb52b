// A process that is started together with its database and the migration waits for both, instead of ending and being
// restarted with a growing delay. It waits for as long as its supervisor lets it: the chart's startup probe is the bound.
// Any other fault, as a newer schema that this release cannot work with, ends it at once.

import { isFailure, messageOf } from "../core/errors.ts";
import { type BackoffPolicy, backoffDelay } from "../lifecycle/backoff.ts";
import { type Clock, systemClock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Queryable } from "../store/database.ts";
import { checkSchema } from "../store/migrate.ts";
import { MIGRATIONS } from "./installation.ts";

/** 0.2 s … 2 s: a migration is not to be noticed later than that. */
export const SCHEMA_BACKOFF: BackoffPolicy = { initialMs: 200, maxMs: 2_000, factor: 2 };

export interface SchemaWait {
  folder?: string;
  clock?: Clock;
}

/** False: a signal came first. Errors: schema_newer, schema_changed, and what the database itself answers. */
export async function waitForSchema(
  db: Queryable,
  log: Logger,
  { folder = MIGRATIONS, clock = systemClock }: SchemaWait = {},
): Promise<boolean> {
  const stopping = new AbortController();
  // As the first process of a container, this one gets no signal that it does not listen to.
  const stop = () => stopping.abort();
  process.on("SIGTERM", stop).on("SIGINT", stop);
  try {
    for (let failures = 1; !stopping.signal.aborted; failures += 1) {
      try {
        const { ahead } = await checkSchema(db, folder);
        if (ahead.length > 0)
          log.warn({ ahead }, "the database's schema is a newer release's, which this one works with");
        if (failures > 1) log.info("the database has this release's schema");
        return true;
      } catch (error) {
        if (!isFailure(error, "schema_older") && !isFailure(error, "unavailable")) throw error;
        log.warn({ code: error.code, failures }, `waiting for the database: ${messageOf(error)}`);
        await clock.sleep(backoffDelay(SCHEMA_BACKOFF, failures), stopping.signal);
      }
    }
    log.info("stopped while waiting for the database");
    return false;
  } finally {
    process.off("SIGTERM", stop).off("SIGINT", stop);
  }
}
