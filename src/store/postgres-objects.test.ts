import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStoreBundle, type StoreBundle } from "../../test/support/store-bundle.ts";
import { describeObjectStore } from "../../test/support/object-store-contract.ts";
import { createPostgresObjects } from "./postgres-objects.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

describeObjectStore(() => createPostgresObjects(store.db));

test("a file that is too large for Postgres is refused with what to do, and leaves nothing", async () => {
  const objects = createPostgresObjects(store.db);
  const megabyte = Buffer.alloc(2 ** 20);
  const body = Readable.from(Array.from({ length: 65 }, () => megabyte));
  await expect(objects.put("huge", body)).rejects.toMatchObject({
    code: "payload_too_large",
    message: expect.stringContaining("WINDLASS_STORAGE"),
  });
  const { rows } = await store.db.query({ text: "select 1 from object_chunk where key = 'huge'" });
  expect(rows).toEqual([]);
});
