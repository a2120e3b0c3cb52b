// Objects in a bucket of S3 or what speaks its protocol. Credentials come as the AWS SDK finds them: environment, files, the
// pod's identity.

import { Readable } from "node:stream";
import { DeleteObjectsCommand, GetObjectCommand, NoSuchKey, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { failure, messageOf } from "../core/errors.ts";
import type { ObjectStore } from "../core/object-store.ts";

export interface Bucket {
  bucket: string;
  /** Before every key; may be empty. */
  prefix: string;
  /** null: as the SDK finds it. */
  region: string | null;
  /** Of a server other than Amazon's. */
  endpoint: string | null;
}

/** What one upload holds in memory: parts of this size, two at a time. S3 takes 10,000 parts: 80 GiB. */
const PART_BYTES = 8 * 2 ** 20;
const PARTS_AT_ONCE = 2;
/** Of one DeleteObjects call. */
const MAX_DELETED = 1_000;
const CALL_TIMEOUT_MS = 60_000;

export function openBucket({ bucket, prefix, region, endpoint }: Bucket): ObjectStore {
  const client = new S3Client({
    ...(region === null ? {} : { region }),
    // Servers of one's own seldom have a name for each bucket.
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: { requestTimeout: CALL_TIMEOUT_MS, connectionTimeout: 10_000 },
  });
  const place = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
  const keyOf = (key: string) => (prefix === "" ? key : `${prefix}/${key}`);
  const away = (error: unknown) =>
    failure("unavailable", `the object store ${place} does not take the call: ${messageOf(error)}`, { cause: error });

  return {
    place,
    takesLogs: true,
    put: async (key, body) => {
      let ownFault: Error | null = null;
      const source = Readable.from(body, { objectMode: false });
      source.once("error", (error: Error) => (ownFault = error));
      try {
        await new Upload({
          client,
          params: { Bucket: bucket, Key: keyOf(key), Body: source },
          partSize: PART_BYTES,
          queueSize: PARTS_AT_ONCE,
        }).done();
      } catch (error) {
        throw ownFault ?? away(error);
      }
    },
    get: async (key) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(key) }));
        if (Body instanceof Readable) return Body;
        throw new Error("the answer has no body");
      } catch (error) {
        if (error instanceof NoSuchKey) {
          throw failure("not_found", `the object ${key} is gone from ${place}`, { cause: error });
        }
        throw away(error);
      }
    },
    delete: async (keys) => {
      for (let from = 0; from < keys.length; from += MAX_DELETED) {
        const Objects = keys.slice(from, from + MAX_DELETED).map((key) => ({ Key: keyOf(key) }));
        const { Errors = [] } = await client
          .send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
          .catch((error: unknown) => {
            throw away(error);
          });
        const [first] = Errors;
        if (first) throw away(new Error(`${first.Code ?? "an error"} for ${first.Key ?? "an object"}`));
      }
    },
  };
}
