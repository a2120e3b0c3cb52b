import { afterEach, beforeEach, expect, it } from "vitest";
import { createLogger } from "../../src/lifecycle/log.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { openStoreBundle, type StoreBundle } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

// An error event that nobody listens for ends the process; vitest fails the run for it.
it("a connection that breaks in the middle of a transaction fails the transaction, not the process", async () => {
  const broken = store.db.transaction(async (tx) => {
    const { rows } = await tx.query<{ pid: number }>({ text: "select pg_backend_pid() as pid" });
    await store.db.query({ text: "select pg_terminate_backend($1, 5000)", values: [rows[0]?.pid] });
    await tx.query({ text: "select 1" });
  });
  await expect(broken).rejects.toMatchObject({ code: "unavailable" });
  expect(await store.db.transaction((tx) => tx.query({ text: "select 1 as one" }))).toMatchObject({
    rows: [{ one: 1 }],
  });
});

/** The same database on a way that can be made to swallow everything. */
async function openThroughProxy(deadlineMs = 300): Promise<{ db: Database; proxy: FaultProxy }> {
  const url = new URL(store.db.url);
  const proxy = await startFaultProxy(url.hostname, Number(url.port));
  url.port = String(proxy.port);
  const log = createLogger("silent");
  const db = openDatabase({ url: url.href, poolSize: 2, applicationName: "lost", log, deadlineMs });
  return { db, proxy };
}

it("a server that vanishes without a word fails the statement in time, and the next one gets a new connection", async () => {
  const { db, proxy } = await openThroughProxy();
  await db.query({ text: "select 1" });
  proxy.blackHole();
  await expect(db.query({ text: "select 1" })).rejects.toMatchObject({ code: "unavailable" });
  const broken = db.transaction(async (tx) => {
    await tx.query({ text: "select 1" });
    proxy.blackHole();
    await tx.query({ text: "select 1" });
  });
  await expect(broken).rejects.toMatchObject({ code: "unavailable" });
  expect(await db.query({ text: "select 1 as one" })).toMatchObject({ rows: [{ one: 1 }] });
  proxy.blackHole();
  await db.close();
  await proxy.close();
});

it("a process that is to end waits for a vanished server no longer than seconds, in flight or not", async () => {
  const { db, proxy } = await openThroughProxy(120_000);
  await db.query({ text: "select 1" });
  proxy.blackHole();
  const inFlight = db.query({ text: "select 1" });
  db.hurry();
  await expect(inFlight).rejects.toMatchObject({ code: "unavailable" });
  await db.close();
  await proxy.close();
});

it("takes its locks from a process that stands still inside a transaction", async () => {
  const lock = { text: "select pg_advisory_xact_lock(1)" };
  const still = store.db.transaction(async (tx) => {
    const { rows } = await tx.query<{ limit: string }>({
      text: "select current_setting('idle_in_transaction_session_timeout') as limit",
    });
    expect(rows[0]?.limit).toBe("15s");
    await tx.query({ text: "set local idle_in_transaction_session_timeout = '50ms'" });
    await tx.query(lock);
    await store.db.transaction((other) => other.query(lock));
    await tx.query({ text: "select 1" });
  });
  await expect(still).rejects.toMatchObject({ code: "unavailable" });
});
