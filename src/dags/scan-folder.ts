// One look at the dags folder: the signature of every file, by stat. Links are followed, so a swapped link shows as changed
// files. Folders that cannot be read are told apart from those that are gone: what cannot be seen has not been deleted.

import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { hasDagName, IGNORE_FILE, isIgnored, orderRules, parseIgnoreFile, type Rule } from "./ignore-rules.ts";

export interface FolderScan {
  /** Path relative to the folder → signature of the content's place and time. */
  files: Map<string, string>;
  dagFiles: Set<string>;
  /** Folders ("" or ending with "/") that could not be looked into, with the reason. */
  unreadable: Map<string, string>;
}

interface Walk extends FolderScan {
  root: string;
  rules: Map<string, Rule[]>;
}

const CODE_OF_GONE = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

/** @param extra files outside of the walk (in node_modules, beside the folder), relative to the folder */
export async function scanFolder(root: string, extra: Iterable<string> = []): Promise<FolderScan> {
  const walk: Walk = { root, files: new Map(), dagFiles: new Set(), unreadable: new Map(), rules: new Map() };
  await walkFolder(walk, "", []);
  await Promise.all([...extra].filter((path) => !walk.files.has(path)).map((path) => sign(walk, path, null)));
  const rules = orderRules(walk.rules);
  const walked = [...walk.files.keys()].filter((path) => hasDagName(path) && isWalked(path));
  walk.dagFiles = new Set(walked.filter((path) => !isIgnored(path, rules)));
  return walk;
}

/** Files of folders that are not walked are inputs at most. */
export function isWalked(path: string): boolean {
  return path.split("/").every((part) => !isSkipped(part));
}

function isSkipped(name: string): boolean {
  return name === "node_modules" || name.startsWith(".");
}

/** @param above the identity of each folder on the way here: links may form a circle */
async function walkFolder(walk: Walk, folder: string, above: readonly string[]): Promise<void> {
  let entries: Dirent[];
  let identity: string;
  try {
    const [list, stats] = await Promise.all([
      readdir(join(walk.root, folder), { withFileTypes: true }),
      stat(join(walk.root, folder), { bigint: true }),
    ]);
    entries = list;
    identity = `${stats.dev}:${stats.ino}`;
  } catch (error) {
    // The folder itself is never taken for deleted: a volume that is not mounted yet must not retire all DAGs.
    if (folder === "" || !isGone(error)) walk.unreadable.set(folder, messageOf(error));
    return;
  }
  if (above.includes(identity)) return;
  const way = [...above, identity];
  await Promise.all(
    entries.map(async (entry) => {
      const path = folder + entry.name;
      if (entry.name === IGNORE_FILE) return readRules(walk, folder);
      if (isSkipped(entry.name)) return;
      if (entry.isDirectory()) return walkFolder(walk, `${path}/`, way);
      if (entry.isFile() || entry.isSymbolicLink()) return sign(walk, path, way);
    }),
  );
}

/** @param way null: a folder in the file's place is not walked */
async function sign(walk: Walk, path: string, way: readonly string[] | null): Promise<void> {
  let stats: BigIntStats;
  try {
    stats = await stat(join(walk.root, path), { bigint: true });
  } catch (error) {
    if (!isGone(error)) walk.unreadable.set(path, messageOf(error));
    return;
  }
  if (stats.isDirectory()) {
    if (way) await walkFolder(walk, `${path}/`, way);
    return;
  }
  // The inode tells a swapped link and a rename; ctime a change that kept size and mtime.
  if (stats.isFile()) walk.files.set(path, `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`);
}

async function readRules(walk: Walk, folder: string): Promise<void> {
  try {
    walk.rules.set(folder, parseIgnoreFile(await readFile(join(walk.root, folder, IGNORE_FILE), "utf8")));
  } catch (error) {
    if (!isGone(error)) walk.unreadable.set(folder, messageOf(error));
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && CODE_OF_GONE.has(error.code);
}
