// Object stores outside Postgres. The place is one URL; an object is whole or not there, and a repeated write gives the same.
// When the place is away, calls fail with code `unavailable`: uploads fail their task's call, archiving is tried again.

import type { ObjectStore } from "../core/object-store.ts";
import { failure } from "../core/errors.ts";
import { openDirectory } from "./directory-objects.ts";

/** @param place as findStorageFault finds right, but not "postgres". Errors: invalid_configuration. */
export async function openObjectStore(place: string): Promise<ObjectStore> {
  const url = new URL(place);
  if (url.protocol === "file:") return openDirectory(decodeURIComponent(url.pathname));
  if (url.protocol !== "s3:") throw failure("invalid_configuration", `WINDLASS_STORAGE is "${place}"`);
  // Loaded when it is needed: the SDK costs 100 ms and 20 MB.
  const { openBucket } = await import("./s3-objects.ts");
  const region = url.searchParams.get("region");
  return openBucket({
    bucket: url.host,
    prefix: url.pathname.replace(/^\/+|\/+$/g, ""),
    region,
    endpoint: url.searchParams.get("endpoint"),
  });
}
