// Where bytes are kept that do not belong into rows: files of tasks, and logs of old attempts. Three places implement it:
// Postgres itself (store/postgres-objects.ts), a directory and S3 (objects/). All of them stream.

export type Bytes = AsyncIterable<Uint8Array>;

export interface ObjectStore {
  /** Where it is, for logs and `doctor`; without credentials. */
  readonly place: string;
  /** Whether logs of ended attempts move here from Postgres. */
  readonly takesLogs: boolean;
  /** Writes an object whole or not at all; one that is there is replaced. Errors: unavailable, payload_too_large. */
  put(key: string, body: Bytes): Promise<void>;
  /** Errors: not_found, unavailable. */
  get(key: string): Promise<Bytes>;
  /** What is not there is as good as deleted. Errors: unavailable. */
  delete(keys: readonly string[]): Promise<void>;
}
