// The commit that a folder of DAG files is at: of a git-sync worktree, whose folder is named by it, or of a clone, by its HEAD.
// git itself is not asked, because the image has none. A clone with changes that are not committed still has its HEAD.

import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** The hash in hex; null for a folder that is in no repository, or in one that cannot be read. */
export async function readCommit(folder: string): Promise<string | null> {
  try {
    const real = await realpath(folder);
    return real.split("/").find((part) => HASH.test(part)) ?? (await readHead(real));
  } catch {
    // A folder that is not there, or may not be read, is the watcher's to complain of.
    return null;
  }
}

async function readHead(folder: string): Promise<string | null> {
  for (let at = folder; ; at = dirname(at)) {
    const git = join(at, ".git");
    const stats = await stat(git).catch(() => null);
    if (stats?.isDirectory()) return resolveHead(git, git);
    if (stats?.isFile()) {
      // A worktree: its own HEAD, and the branches of the repository that it belongs to.
      const own = resolve(at, (await readFile(git, "utf8")).replace(/^gitdir: /, "").trim());
      const common = await readFile(join(own, "commondir"), "utf8").catch(() => ".");
      return resolveHead(own, resolve(own, common.trim()));
    }
    if (dirname(at) === at) return null;
  }
}

async function resolveHead(own: string, common: string): Promise<string | null> {
  const head = (await readFile(join(own, "HEAD"), "utf8")).trim();
  if (HASH.test(head)) return head;
  const reference = head.replace(/^ref: /, "");
  const loose = await readFile(join(common, reference), "utf8").catch(() => null);
  if (loose !== null) return HASH.test(loose.trim()) ? loose.trim() : null;
  const packed = await readFile(join(common, "packed-refs"), "utf8").catch(() => "");
  return (
    packed
      .split("\n")
      .find((line) => line.endsWith(` ${reference}`))
      ?.split(" ")[0] ?? null
  );
}
