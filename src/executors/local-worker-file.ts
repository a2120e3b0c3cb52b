// Which file a local worker is started from: the bundle when it was made from the sources as they are, else the sources,
// which start more slowly.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function chooseWorkerFile(root: string): string {
  const bundle = join(root, "dist/worker.js");
  return isUpToDate(root) && read(bundle) !== null ? bundle : join(root, "src/worker/main.ts");
}

/** True also where the sources are not shipped: then the bundle is all there is. */
function isUpToDate(root: string): boolean {
  const text = read(join(root, "dist/worker.json"))?.toString("utf8");
  if (text === undefined) return false;
  // Written by scripts/build-worker.ts.
  const { sources } = JSON.parse(text) as { sources: Record<string, string> };
  const current = Object.entries(sources).map(([path, hash]) => ({ hash, content: read(join(root, path)) }));
  if (current.every(({ content }) => content === null)) return true;
  return current.every(
    ({ hash, content }) => content !== null && createHash("sha256").update(content).digest("hex") === hash,
  );
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}
