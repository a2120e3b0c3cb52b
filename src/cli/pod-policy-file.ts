// Loads the administrator's pod policy: a module whose default export is the function.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { failure, messageOf } from "../core/errors.ts";
import type { PodPolicy } from "../kubernetes/pod-policy.ts";

/** Errors: invalid_configuration. */
export async function loadPodPolicy(path: string | undefined): Promise<PodPolicy | null> {
  if (path === undefined) return null;
  const wrong = (why: string, cause?: unknown) =>
    failure("invalid_configuration", `WINDLASS_POD_POLICY ${path} ${why}`, cause === undefined ? {} : { cause });
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  } catch (error) {
    throw wrong(`cannot be loaded: ${messageOf(error)}`, error);
  }
  if (typeof module.default !== "function") {
    throw wrong("must have a function as its default export: export default (pod, task) => pod");
  }
  return module.default as PodPolicy;
}
