// Where this installation keeps its files, and its version.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

export const ROOT = join(import.meta.dirname, "..", "..");
export const MIGRATIONS = join(ROOT, "migrations");

const manifest = z.object({ version: z.string() });

export function readVersion(): string {
  return manifest.parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"))).version;
}
