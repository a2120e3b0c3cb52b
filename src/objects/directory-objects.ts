// Objects as files of a directory that all of our processes share, for example a ReadWriteMany volume.

import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { failure, messageOf } from "../core/errors.ts";
import type { ObjectStore } from "../core/object-store.ts";

export function openDirectory(folder: string): ObjectStore {
  // Keys are ours (ids and slashes), never a caller's text.
  const pathOf = (key: string) => join(folder, key);
  const away = (error: unknown) =>
    failure("unavailable", `the object store ${folder} does not answer: ${messageOf(error)}`, { cause: error });

  return {
    place: `file://${folder}`,
    takesLogs: true,
    put: async (key, body) => {
      const path = pathOf(key);
      const part = `${path}.${randomUUID()}.part`;
      let taken = false;
      try {
        await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
          throw away(error);
        });
        // The writer's faults are ours, the body's are its owner's.
        const writer = createWriteStream(part, { flush: true });
        writer.once("error", () => (taken = true));
        await pipeline(Readable.from(body, { objectMode: false }), writer).catch((error: unknown) => {
          throw taken ? away(error) : error;
        });
        await rename(part, path);
        await syncFolder(dirname(path));
      } catch (error) {
        await rm(part, { force: true }).catch(() => {});
        throw error;
      }
    },
    get: async (key) => {
      const path = pathOf(key);
      try {
        await access(path);
      } catch (error) {
        const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
        throw missing
          ? failure("not_found", `the object ${key} is gone from ${folder}`, { cause: error })
          : away(error);
      }
      return createReadStream(path);
    },
    delete: async (keys) => {
      for (const key of keys) {
        await rm(pathOf(key), { force: true }).catch((error: unknown) => {
          throw away(error);
        });
      }
    },
  };
}

/** So that the new name outlives a loss of power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
