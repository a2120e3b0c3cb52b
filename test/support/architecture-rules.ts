// The checks of the architecture test: each takes parsed files and returns its complaints, one sentence each. What is
// allowed is data in `test/architecture.test.ts`.

import { posix } from "node:path";
import { findCycles } from "./import-cycles.ts";
import type { ImportOf, SourceFile } from "./source-file.ts";

export interface Allowed {
  /** Folders or single files of src; whatever kind of import. */
  from: readonly string[];
  /** Folders or single files of src, by `import type` only. */
  types?: readonly string[];
  packages?: readonly string[];
  packageTypes?: readonly string[];
  /** Node's own modules. */
  node?: boolean;
}

export type ImportTable = Readonly<Record<string, Allowed>>;

/** Tests and the fixtures beside them. */
export function isTest(path: string): boolean {
  return path.startsWith("test/") || /(\.test|-fixture)\.ts$/.test(path);
}

/** The folder of src that a file is in; "" for files elsewhere. */
export function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? "";
}

function resolve(file: SourceFile, target: string): string {
  return posix.join(posix.dirname(file.path), target);
}

export function checkImports(files: readonly SourceFile[], table: ImportTable): string[] {
  return files.flatMap((file) => {
    if (isTest(file.path)) return [];
    const folder = folderOf(file.path);
    const allowed = table[folder];
    if (!allowed) return [`${file.path}: the folder src/${folder} is not in the import table`];
    return file.imports
      .filter((imported) => !isAllowed(file, imported, folder, allowed))
      .map(
        ({ target, kind }) =>
          `${file.path}: src/${folder} may not import ${kind === "type" ? "types of " : ""}${target}`,
      );
  });
}

function isAllowed(file: SourceFile, { target, kind }: ImportOf, folder: string, allowed: Allowed): boolean {
  const asType = kind === "type";
  if (target.startsWith("node:")) return allowed.node === true;
  if (!target.startsWith(".")) {
    const name = target
      .split("/")
      .slice(0, target.startsWith("@") ? 2 : 1)
      .join("/");
    return Boolean(allowed.packages?.includes(name) || (asType && allowed.packageTypes?.includes(name)));
  }
  const path = resolve(file, target);
  if (!path.startsWith("src/") || isTest(path)) return false;
  const covers = (entry: string) => path === `src/${entry}` || path.startsWith(`src/${entry}/`);
  return folderOf(path) === folder || allowed.from.some(covers) || (asType && (allowed.types ?? []).some(covers));
}

/** Tests beside the code see their own folder, what it may import, and test/support. */
export function checkTestImports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    if (isTest(file.path)) return [];
    return file.imports
      .filter(({ target }) => target.startsWith(".") && isTest(resolve(file, target)))
      .map(({ target }) => `${file.path} is not a test and imports ${target}`);
  });
}

export function checkCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter(({ target, kind }) => kind === "value" && target.startsWith("."))
        .map(({ target }) => resolve(file, target)),
    ]),
  );
  return findCycles(graph).map((circle) => `these files import each other: ${circle.join(", ")}`);
}

export function checkLengths(files: readonly SourceFile[], limit: number, generated: readonly string[]): string[] {
  return files
    .filter((file) => file.lines > limit && !generated.includes(file.path))
    .map((file) => `${file.path} has ${file.lines} lines, ${limit} at most; which responsibility can leave it?`);
}

/** Uses of a name outside the places that may: `where` are path prefixes. */
export function checkUses(files: readonly SourceFile[], names: RegExp, where: readonly string[]): string[] {
  return files
    .filter((file) => !isTest(file.path) && !where.some((prefix) => file.path.startsWith(prefix)))
    .flatMap((file) => [...file.uses].filter((use) => names.test(use)).map((use) => `${file.path} uses ${use}`));
}

export function checkDefaultExports(files: readonly SourceFile[], where: readonly string[]): string[] {
  return files
    .filter((file) => file.hasDefaultExport && !where.some((prefix) => file.path.startsWith(prefix)))
    .map((file) => `${file.path} has a default export`);
}

export function checkNames(files: readonly SourceFile[], forbidden: RegExp): string[] {
  return files
    .filter((file) => forbidden.test(posix.basename(file.path)))
    .map((file) => `${file.path}: name the file for what it does`);
}
