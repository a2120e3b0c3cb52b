// `windlass migrate` as the chart's Job runs it.

import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { migrateDatabase } from "../../src/cli/commands/migrate.ts";
import { readConfiguration } from "../../src/cli/configuration.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let closed: Server;
let port = 0;
beforeEach(async () => {
  database = await createEmptyDatabase();
  // A port that nobody listens on: one that was just given back.
  closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const address = closed.address();
  port = typeof address === "object" && address ? address.port : 0;
  closed.close();
});
afterEach(() => database.drop());

const roleOf = (url: string) => ({
  configuration: readConfiguration({ WINDLASS_DATABASE_URL: url }),
  environment: {},
  log: createLogger("silent"),
});

it("applies what is missing, once", async () => {
  expect((await migrateDatabase(roleOf(database.url))).applied).toBeGreaterThan(0);
  expect(await migrateDatabase(roleOf(database.url))).toEqual({ applied: 0 });
});

it("fails at once when the database does not answer, or after the wait it is given", async () => {
  const role = roleOf(`postgres://windlass@127.0.0.1:${port}/windlass`);
  await expect(migrateDatabase(role)).rejects.toMatchObject({ code: "unavailable" });
  const clock = createFastClock(100);
  const began = clock.monotonic();
  await expect(migrateDatabase(role, 20, clock)).rejects.toMatchObject({ code: "unavailable" });
  expect(clock.monotonic() - began).toBeGreaterThanOrEqual(20_000);
});
