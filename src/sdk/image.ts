// Names of images, as registries and runtimes have them: one that is not well formed can never be pulled.

import { authorError, describeValue } from "./author-error.ts";

// https://github.com/distribution/reference: [host[:port]/]path[:tag][@digest]
const HOST = /(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d+)?/.source;
const PART = /[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*/.source;
const IMAGE = new RegExp(
  `^(?:${HOST}/)?${PART}(?:/${PART})*(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][\\w+.-]*:[0-9a-fA-F]{32,})?$`,
);
// Longer than any registry takes.
const LONGEST = 1_000;

export function isImage(name: string): boolean {
  return name.length <= LONGEST && IMAGE.test(name);
}

export function checkImage(value: unknown, path: string): string {
  if (typeof value === "string" && isImage(value)) return value;
  throw authorError(
    `${path} is ${describeValue(value)}. Name an image, e.g. "python:3.12-slim": a path of small letters, with a host before it and a tag behind it or without.`,
  );
}
