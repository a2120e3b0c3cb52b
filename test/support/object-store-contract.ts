// What every object store does, whichever place it is.

import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { ObjectStore } from "../../src/core/object-store.ts";

const read = async (store: ObjectStore, key: string) => buffer(Readable.from(await store.get(key)));
const bytesOf = (...parts: (string | Buffer)[]) => Readable.from(parts.map((part) => Buffer.from(part)));

export function describeObjectStore(open: () => ObjectStore): void {
  test("what is put is read back, byte for byte, and a second put replaces it", async () => {
    const store = open();
    await store.put("a/1", bytesOf("hello ", Buffer.from([0, 255]), " world"));
    expect(await read(store, "a/1")).toEqual(
      Buffer.concat([Buffer.from("hello "), Buffer.from([0, 255]), Buffer.from(" world")]),
    );
    await store.put("a/1", bytesOf("second"));
    expect((await read(store, "a/1")).toString()).toBe("second");
    await store.put("a/empty", bytesOf());
    expect(await read(store, "a/empty")).toHaveLength(0);
  });

  test("20 MiB stream through", async () => {
    const store = open();
    const megabyte = Buffer.alloc(2 ** 20 + 7, "x");
    await store.put("big", bytesOf(...Array.from({ length: 20 }, () => megabyte)));
    expect(await read(store, "big")).toHaveLength(20 * megabyte.length);
  });

  test("what is not there is not_found, and deleting it is no error", async () => {
    const store = open();
    await store.put("b/1", bytesOf("x"));
    await store.delete(["b/1", "b/never"]);
    await expect(store.get("b/1")).rejects.toMatchObject({ code: "not_found" });
  });

  test("an upload that breaks leaves no object, and its own error comes through", async () => {
    const store = open();
    async function* breaking() {
      yield Buffer.alloc(3 * 2 ** 20);
      throw new Error("the sender is gone");
    }
    await expect(store.put("c/1", breaking())).rejects.toThrow("the sender is gone");
    await expect(store.get("c/1")).rejects.toMatchObject({ code: "not_found" });
  });
}
