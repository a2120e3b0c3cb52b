// The author's files, out of a bundle's source map: what was written, not what runs.

import { posix } from "node:path";
import { z } from "zod";
import { failure } from "../core/errors.ts";

const sourceMap = z.object({
  sources: z.array(z.string()),
  sourcesContent: z.array(z.string().nullable()).default([]),
});

export interface AuthorFile {
  path: string;
  content: string;
}

/** @param fileloc the DAG's file inside the dags folder */
export function readAuthorFiles(text: string, fileloc: string): { content: string; files: AuthorFile[] } {
  const { sources, sourcesContent } = parseSourceMap(text);
  const files = sources.flatMap((source, index) => {
    const content = sourcesContent[index];
    const path = posix.normalize(source);
    return typeof content === "string" && !path.split("/").includes("node_modules") ? [{ path, content }] : [];
  });
  const main = files.find((file) => file.path === fileloc) ?? files.find((file) => isTail(file.path, fileloc));
  if (!main) throw failure("not_found", `the source map of ${fileloc} holds no source of it`);
  return { content: main.content, files };
}

function parseSourceMap(text: string): z.infer<typeof sourceMap> {
  try {
    return sourceMap.parse(JSON.parse(text));
  } catch (error) {
    throw failure("internal", "a bundle's source map cannot be read", { cause: error });
  }
}

function isTail(path: string, tail: string): boolean {
  return path.endsWith(`/${tail}`);
}
