// A process that comes before its schema waits for it; a signal, or a fault that waiting cannot mend, ends the wait.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { waitForSchema } from "../../src/cli/wait-for-schema.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { checkSchema, migrate } from "../../src/store/migrate.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let db: Database;
let folder: string;
let said: string[];
let onLine: () => void;
let log: pino.Logger;

beforeEach(async () => {
  said = [];
  onLine = () => {};
  log = pino(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said.push(chunk.toString());
        onLine();
        done();
      },
    }),
  );
  database = await createEmptyDatabase();
  db = openDatabase({ url: database.url, poolSize: 2, applicationName: "test", log });
  folder = await mkdtemp(join(tmpdir(), "windlass-migrations-"));
  await writeFile(join(folder, "0001_one.sql"), "create table one ();");
});
afterEach(async () => {
  await db.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Begins to wait; resolves once it has said that it waits. */
async function beginWait(on: Database = db): Promise<{ waiting: Promise<boolean> }> {
  const saidSo = new Promise<void>((resolve) => {
    onLine = resolve;
  });
  const waiting = waitForSchema(on, log, { folder, clock: createFastClock(100) });
  await Promise.race([saidSo, waiting]);
  return { waiting };
}

describe("waiting for the schema", () => {
  it("says nothing when it is there", async () => {
    await migrate(db, folder, systemClock.now(), pino({ level: "silent" }));
    expect(await waitForSchema(db, log, { folder })).toBe(true);
    expect(said).toEqual([]);
  });

  it("goes on once somebody has migrated, and says both", async () => {
    const { waiting } = await beginWait();
    expect(said[0]).toContain("run `windlass migrate`");
    await migrate(db, folder, systemClock.now(), pino({ level: "silent" }));
    expect(await waiting).toBe(true);
    expect(said.at(-1)).toContain("has this release's schema");
  });

  it("waits for a database that does not answer, until it is told to stop", async () => {
    const url = new URL(database.url);
    url.port = "1";
    const away = openDatabase({ url: url.href, poolSize: 2, applicationName: "test", log });
    try {
      const listeners = process.listenerCount("SIGTERM");
      const { waiting } = await beginWait(away);
      expect(said[0]).toContain("Postgres does not answer");
      // As the kernel would, if it were sent to this process alone.
      process.emit("SIGTERM");
      expect(await waiting).toBe(false);
      expect(process.listenerCount("SIGTERM")).toBe(listeners);
    } finally {
      await away.close();
    }
  });

  it("works with the additions of a newer release, and says so", async () => {
    await writeFile(join(folder, "0002_two.sql"), "create table two ();");
    await migrate(db, folder, systemClock.now(), pino({ level: "silent" }));
    await rm(join(folder, "0002_two.sql"));
    expect(await waitForSchema(db, log, { folder })).toBe(true);
    expect(said.join()).toContain("0002_two.sql");
    expect(await migrate(db, folder, systemClock.now(), pino({ level: "silent" }))).toEqual({ applied: 0 });
  });

  it("brings a database of release 0.1 up to date, which notes less of its migrations", async () => {
    await migrate(db, folder, systemClock.now(), pino({ level: "silent" }));
    await db.query({ text: "alter table migration drop column compatible_from" });
    expect(await waitForSchema(db, log, { folder })).toBe(true);
    await writeFile(join(folder, "0002_two.sql"), "create table two ();");
    await expect(checkSchema(db, folder)).rejects.toMatchObject({ code: "schema_older" });
    expect(await migrate(db, folder, systemClock.now(), pino({ level: "silent" }))).toEqual({ applied: 1 });
    expect(await checkSchema(db, folder)).toEqual({ ahead: [] });
  });

  it("does not wait for what will not come: a schema that this release cannot work with", async () => {
    await writeFile(join(folder, "0002_two.sql"), "-- compatible-from: 0002\ndrop table one;");
    await migrate(db, folder, systemClock.now(), pino({ level: "silent" }));
    await rm(join(folder, "0002_two.sql"));
    await expect(waitForSchema(db, log, { folder })).rejects.toMatchObject({ code: "schema_newer" });
  });
});
