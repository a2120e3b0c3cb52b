import { afterEach, beforeEach, expect, it } from "vitest";
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
