// Objects in Postgres, as chunks: what an installation has without setting anything up. Meant for small files; the limit is
// said by the error, and WINDLASS_STORAGE names a better place for more.

import { failure } from "../core/errors.ts";
import type { Bytes, ObjectStore } from "../core/object-store.ts";
import type { Queryable } from "./database.ts";

const CHUNK_BYTES = 2 ** 20;
const MAX_BYTES = 64 * CHUNK_BYTES;

export function createPostgresObjects(db: Queryable): ObjectStore {
  return {
    place: "postgres",
    takesLogs: false,
    put: async (key, body) => {
      let size = 0;
      try {
        // Not one transaction: an upload may take as long as its sender likes, and a connection is for short work.
        await deleteObjects(db, [key]);
        let seq = 0;
        for await (const chunk of cutChunks(body)) {
          size += chunk.length;
          if (size > MAX_BYTES) {
            throw failure(
              "payload_too_large",
              `Postgres keeps files up to ${MAX_BYTES / 2 ** 20} MiB; the administrator can set WINDLASS_STORAGE to a directory or S3`,
            );
          }
          await db.query({
            name: "write_object_chunk",
            text: "insert into object_chunk (key, seq, data) values ($1, $2, $3)",
            values: [key, seq, chunk],
          });
          seq += 1;
        }
        await db.query({
          name: "complete_object",
          text: "insert into object (key, size) values ($1, $2)",
          values: [key, size],
        });
      } catch (error) {
        await deleteObjects(db, [key]).catch(() => {
          // Postgres is away; what was written has no row in `object`, and the next write of the key removes it.
        });
        throw error;
      }
    },
    get: async (key) => {
      const { rowCount } = await db.query({
        name: "find_object",
        text: "select from object where key = $1",
        values: [key],
      });
      if (rowCount === 0) throw failure("not_found", `the object ${key} is gone`);
      return readChunks(db, key);
    },
    delete: (keys) => deleteObjects(db, keys),
  };
}

async function* readChunks(db: Queryable, key: string): Bytes {
  for (let seq = 0; ; seq += 1) {
    const { rows } = await db.query<{ data: Buffer }>({
      name: "read_object_chunk",
      text: "select data from object_chunk where key = $1 and seq = $2",
      values: [key, seq],
    });
    const row = rows[0];
    if (!row) return;
    yield row.data;
  }
}

async function* cutChunks(body: Bytes): AsyncGenerator<Buffer> {
  let kept: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    for (let from = 0; from < part.length;) {
      const taken = part.subarray(from, from + CHUNK_BYTES - length);
      kept.push(taken);
      length += taken.length;
      from += taken.length;
      if (length === CHUNK_BYTES) {
        yield Buffer.concat(kept);
        kept = [];
        length = 0;
      }
    }
  }
  if (length > 0) yield Buffer.concat(kept);
}

async function deleteObjects(db: Queryable, keys: readonly string[]): Promise<void> {
  await db.query({
    name: "delete_objects",
    text: "with gone as (delete from object where key = any ($1)) delete from object_chunk where key = any ($1)",
    values: [keys],
  });
}
