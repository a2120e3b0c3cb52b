// Postgres: that it answers, that it is of a version that is supported, that its schema is this release's, and its clock.

import { isFailure } from "../../core/errors.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../lifecycle/log.ts";
import { type Database, openDatabase } from "../../store/database.ts";
import { checkSchema } from "../../store/migrate.ts";
import { readServer } from "../../store/read-server.ts";
import { MIGRATIONS } from "../installation.ts";
import { type Check, describeFault, judgeClock, ok, problem, warning } from "./check.ts";

const OLDEST = 14;
const NEWEST = 18;

export async function checkDatabase(url: string | undefined, clock: Clock, log: Logger): Promise<Check[]> {
  if (url === undefined) {
    const advice = "set it to check the database: scheduler, api and migrate need it, standalone brings its own";
    return [warning("database", "WINDLASS_DATABASE_URL is not set", advice)];
  }
  const db = openDatabase({ url, poolSize: 1, applicationName: "windlass-doctor", log });
  try {
    // The first connection is not to count as a difference of the clocks.
    await db.query({ text: "select 1" });
    const before = clock.now();
    const { major, now } = await readServer(db);
    const reading = { other: now, precisionMs: 1, before, after: clock.now() };
    return [
      judgeVersion(major),
      await checkSchemaVersion(db),
      judgeClock("database/clock", "the database's clock", reading),
    ];
  } catch (error) {
    const advice = "check WINDLASS_DATABASE_URL, that the server runs, and that this machine may connect to it";
    return [problem("database", `Postgres cannot be used: ${describeFault(error)}`, advice)];
  } finally {
    await db.close();
  }
}

export function judgeVersion(major: number): Check {
  const message = `Postgres ${major} answers`;
  if (major < OLDEST) return problem("database", message, `upgrade it: versions ${OLDEST} to ${NEWEST} are supported`);
  if (major > NEWEST) {
    return warning("database", message, `versions ${OLDEST} to ${NEWEST} are supported; use one of them`);
  }
  return ok("database", message);
}

async function checkSchemaVersion(db: Database): Promise<Check> {
  try {
    const { ahead } = await checkSchema(db, MIGRATIONS);
    if (ahead.length === 0) return ok("database/schema", "the schema is this release's");
    return ok("database/schema", `the schema is a newer release's (${ahead.join(", ")}), which this one works with`);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return problem("database/schema", error.message, "scheduler and API do not start until that is done");
  }
}
