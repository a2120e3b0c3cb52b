import { expect, test } from "vitest";
import { findStorageFault } from "./storage-url.ts";

test.each([
  ["postgres", null],
  ["file:///var/lib/objects", null],
  ["s3://bucket", null],
  ["s3://bucket/a/b?region=eu-west-1&endpoint=http://minio:9000", null],
  ["file://host/path", "it must be"],
  ["file:///", "it must be"],
  ["/var/lib", "it must be"],
  ["s3://", "it must be"],
  ["gs://bucket", "it must be"],
  ["s3://bucket?zone=1", 'the parameter "zone"'],
  ["s3://bucket?endpoint=minio", "is not a URL"],
])("%s: %s", (place, fault) => {
  if (fault === null) expect(findStorageFault(place)).toBeNull();
  else expect(findStorageFault(place)).toContain(fault);
});
